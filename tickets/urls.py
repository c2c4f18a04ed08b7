from django.urls import path

from tickets import api, bought, checkout, door, images, languages, views

urlpatterns = [
    path("", views.gig_list, name="gigs"),
    path("gigs/<slug:slug>/", checkout.gig, name="gig"),
    path("check/", checkout.check, name="check"),
    path("purchases/by-token/<uuid:token>/", bought.by_token, name="purchase_by_token"),
    path("purchases/<uuid:pk>/", bought.purchase, name="purchase"),
    path("purchases/<uuid:pk>/status/", bought.purchase_status, name="purchase_status"),
    path("purchases/<uuid:pk>/calendar.ics", bought.calendar, name="purchase_calendar"),
    path("purchases/<uuid:pk>/<uuid:ticket_id>/again/", bought.mail_again, name="mail_again"),
    path("purchases/<uuid:pk>/<uuid:ticket_id>/address/", bought.correct_address, name="correct_address"),
    # No code ends in .js; and a service worker's own folder is what it serves.
    path("tickets/worker.js", bought.ticket_worker, name="ticket_worker"),
    path("tickets/<str:code>/", bought.ticket, name="ticket"),
    path("tickets/<str:code>/calendar.ics", bought.ticket_calendar, name="ticket_calendar"),
    path("door/", door.choose, name="choose_door"),
    path("door/<slug:slug>/", door.door, name="door"),
    path("door/<slug:slug>/undo/", door.undo, name="undo_check_in"),
    # A slug has no dot, so no name is ever another's.
    path("images/<slug:slug>.svg", images.poster, name="poster"),
    path("images/<slug:slug>.png", images.poster_png, name="poster_png"),
    path("images/<slug:slug>.preview.png", images.preview_png, name="preview"),
    path("images/<slug:slug>.map.svg", images.collection_point_map, name="map"),
    path("language/", languages.choose, name="language"),
    path("language/form/", languages.choose_in_form, name="language_in_form"),
    path("api/", api.viewer, name="api"),
    path("api/openapi.yml", api.specification, name="openapi"),
    path("api/gigs", api.gigs, name="api_gigs"),
    path("api/gigs/<str:gig_id>", api.gig, name="api_gig"),
    path("api/purchase", api.purchase, name="api_purchase"),
]
