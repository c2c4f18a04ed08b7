import pytest

from tickets import images
from tickets.models import Gig

pytestmark = pytest.mark.django_db
every_picture = pytest.mark.parametrize(
    ("name", "path", "kind"),
    [
        ("poster", "/images/nirvana-cork-1991.svg", "image/svg+xml"),
        ("poster_png", "/images/nirvana-cork-1991.png", "image/png"),
        ("preview", "/images/nirvana-cork-1991.preview.png", "image/png"),
        ("map", "/images/nirvana-cork-1991.map.svg", "image/svg+xml"),
    ],
)


@every_picture
def test_it_works(client, gig, django_assert_num_queries, name, path, kind):
    with django_assert_num_queries(1):
        picture = client.get(images.address(gig, name))
    assert images.address(gig, name).startswith(f"{path}?v=")
    assert (picture.status_code, picture["Content-Type"], picture["Cache-Control"]) == (
        200,
        kind,
        "public, max-age=31536000, immutable",
    )


@every_picture
@pytest.mark.parametrize("query", ["", "?v=", "?v=old", "?w=1"])
def test_an_address_without_its_version_is_kept_for_an_hour_then_compared(client, gig, name, path, kind, query):
    picture = client.get(path + query)
    assert picture["Cache-Control"] == "public, max-age=3600"
    again = client.get(path + query, headers={"if-none-match": picture["ETag"]})
    assert (again.status_code, again.content, again["ETag"], again["Cache-Control"]) == (
        304,
        b"",
        picture["ETag"],
        picture["Cache-Control"],
    )


@every_picture
def test_a_changed_gig_has_pictures_at_other_addresses(client, gig, name, path, kind):
    before, etag = images.address(gig, name), client.get(path)["ETag"]
    Gig.objects.update(city="Dublin", collection_point="St Stephen's Green")
    assert images.address(Gig.objects.get(), name) != before
    changed = client.get(before, headers={"if-none-match": etag})
    assert (changed.status_code, changed["Cache-Control"]) == (200, "public, max-age=3600")


@every_picture
def test_an_unpublished_gig_has_no_picture(client, gig, name, path, kind):
    Gig.objects.update(is_published=False)
    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 405
