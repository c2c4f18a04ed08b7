from django.urls import path

from tickets import views

urlpatterns = [
    path("", views.gig_list, name="gigs"),
    path("gigs/<slug:slug>/", views.gig, name="gig"),
    path("purchases/<uuid:pk>/", views.purchase, name="purchase"),
    path("purchases/<uuid:pk>/status/", views.purchase_status, name="purchase_status"),
    # A slug has no dot, so neither name is ever the other's.
    path("images/<slug:slug>.svg", views.poster, name="poster"),
    path("images/<slug:slug>.map.svg", views.collection_point_map, name="map"),
]
