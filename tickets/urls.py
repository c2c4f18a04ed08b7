from django.urls import path

from tickets import views

urlpatterns = [
    path("", views.gig_list, name="gigs"),
    path("gigs/<slug:slug>/", views.gig, name="gig"),
    path("gigs/<slug:slug>/poster.svg", views.poster, name="poster"),
    path("purchases/<uuid:pk>/", views.purchase, name="purchase"),
    path("purchases/<uuid:pk>/status/", views.purchase_status, name="purchase_status"),
]
