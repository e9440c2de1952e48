"""The drawings, as a device gets them: complete, inert, named by their hash, and described."""

import hashlib
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from starlette.testclient import TestClient

Json = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = (
    "toe-curls",
    "arch-rolls",
    "heel-raises",
    "heel-massage",
    "inner-edge-massage",
    "sore-spot-massage",
)
FRAMES = (
    *("toe-curls-start", "arch-rolls-start", "arch-rolls-end", "heel-raises-start"),
    "foot-on-knee",
)
DRAWINGS = (*DRAWN, *FRAMES, "foot-map")
# Elements that draw or describe; none that could run, fetch or restyle anything.
ELEMENTS = {
    *("svg", "title", "desc", "g", "path", "rect", "circle", "ellipse", "line", "polyline"),
    "polygon",
}


def entries(client: TestClient, lang: str) -> dict[str, Json]:
    """Return the media entries of the activities, by the drawing's id."""
    content = client.get("/v1/content", params={"lang": lang}).json()["content"]
    activities = (*content["exercises"], *content["massages"])
    return {entry["id"]: entry for activity in activities for entry in activity["media"]}


def drawn(client: TestClient, drawing: str, lang: str) -> bytes:
    response = client.get(entries(client, lang)[drawing]["url"])
    assert response.status_code == 200
    content: bytes = response.content
    return content


def tree(client: TestClient, drawing: str, lang: str) -> Element:
    parsed: Element = fromstring(drawn(client, drawing, lang))
    return parsed


def luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_drawing_is_of_an_activity(content_client: TestClient) -> None:
    assert entries(content_client, "en").keys() == set(DRAWINGS)


@pytest.mark.parametrize("activity", DRAWN)
def test_each_exercise_and_each_massage_has_its_own_drawing(
    content_client: TestClient, activity: str
) -> None:
    kind = "massages" if activity.endswith("massage") else "exercises"
    media = content_client.get(f"/v1/{kind}/{activity}").json()["media"]
    drawings = [entry["id"] for entry in media]
    assert drawings[0] == activity
    if kind == "massages":
        assert drawings == [activity, "foot-on-knee", "foot-map"]


@pytest.mark.parametrize(
    ("path", "pictures"),
    [
        ("exercises/toe-curls", [None, "toe-curls-start", "toe-curls", None]),
        ("exercises/arch-rolls", ["arch-rolls-start", "arch-rolls-end", None]),
        (
            "exercises/heel-raises",
            ["heel-raises-start", "heel-raises", "heel-raises-start", None],
        ),
        ("massages/heel-massage", ["foot-on-knee", None, "heel-massage", None]),
        ("massages/inner-edge-massage", ["foot-on-knee", None, "inner-edge-massage", None]),
        ("massages/sore-spot-massage", ["foot-on-knee", None, "sore-spot-massage", None]),
    ],
)
def test_each_step_that_moves_has_its_picture(
    content_client: TestClient, path: str, pictures: list[str | None]
) -> None:
    activity = content_client.get(f"/v1/{path}").json()
    assert [step["media_id"] for step in activity["steps"]] == pictures
    assert {name for name in pictures if name} <= {entry["id"] for entry in activity["media"]}


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_has_a_variant_for_dark_screens(content_client: TestClient, drawing: str) -> None:
    entry = entries(content_client, "en")[drawing]
    dark = content_client.get(entry["dark_url"])
    assert dark.status_code == 200
    assert entry["dark_url"].startswith(f"/v1/media/{drawing}-dark-")
    grounds = [
        next(fromstring(content).iter(f"{SVG}rect")).get("fill", "")
        for content in (drawn(content_client, drawing, "en"), dark.content)
    ]
    assert luminance(grounds[0]) > 0.9
    assert luminance(grounds[1]) < 0.05


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_the_lines_of_a_drawing_are_visible_at_160_pixels(
    content_client: TestClient, drawing: str
) -> None:
    widths = [
        float(element.get("stroke-width", 9))
        for element in tree(content_client, drawing, "en").iter()
        if element.get("stroke")
    ]
    assert min(widths) * 160 / 600 >= 1.5


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_is_valid_and_has_the_title_and_description_of_its_entry(
    content_client: TestClient, drawing: str, lang: str
) -> None:
    root = tree(content_client, drawing, lang)
    entry = entries(content_client, lang)[drawing]
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert title.text == entry["title"]
    assert description.text == entry["description"]
    # Screen readers read these two, by their ids.
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.get("id")
    assert len(entry["description"]) > 100
    assert entry["media_type"] == "image/svg+xml"
    assert entry["licence"] == "Apache-2.0"
    assert entry["credit"] == "Footing contributors"


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_placeholder_of_a_drawing_is_filled(
    content_client: TestClient, drawing: str, lang: str
) -> None:
    served = drawn(content_client, drawing, lang)
    assert b"{{" not in served
    assert b"}}" not in served


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_can_neither_run_nor_fetch_anything(
    content_client: TestClient, drawing: str
) -> None:
    served = drawn(content_client, drawing, "en")
    root: Element = fromstring(served)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= ELEMENTS
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert "href" not in name.lower()
            assert "url(" not in value
    assert b"<!" not in served
    assert b"<?" not in served


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_is_named_by_its_hash(
    content_client: TestClient, drawing: str, lang: str
) -> None:
    hashed = hashlib.sha256(drawn(content_client, drawing, lang)).hexdigest()
    assert entries(content_client, lang)[drawing]["url"] == f"/v1/media/{drawing}-{hashed[:16]}.svg"


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_each_language_has_a_drawing_with_its_own_words(
    content_client: TestClient, drawing: str
) -> None:
    english, spanish = (
        entries(content_client, "en")[drawing],
        entries(content_client, "es")[drawing],
    )
    assert english["url"] != spanish["url"]
    assert english["title"] != spanish["title"]
    assert english["description"] != spanish["description"]


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_is_small_and_scales(content_client: TestClient, drawing: str) -> None:
    assert len(drawn(content_client, drawing, "en")) < 20_000
    root = tree(content_client, drawing, "en")
    assert root.get("viewBox") == "0 0 600 600"
    # Without its own size it takes the size that the app gives it.
    assert root.get("width") is None


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_drawing_has_its_own_background_for_light_and_dark(
    content_client: TestClient, drawing: str
) -> None:
    ground = next(tree(content_client, drawing, "en").iter(f"{SVG}rect"))
    assert ground.get("fill") == "#FBF6EC"
    assert int(ground.get("width", 0)) > 590


@pytest.mark.parametrize(
    ("lang", "labels", "tradition"),
    [
        (
            "en",
            ["Upper spine", "Inner edge", "Lower spine", "Heel"],
            ["Traditional reflexology map.", "Not shown to treat back pain."],
        ),
        (
            "es",
            ["Columna superior", "Borde interno", "Columna inferior", "Talón"],
            [
                "Mapa de la reflexología tradicional.",
                "No está probado que trate el dolor de espalda.",
            ],
        ),
    ],
)
def test_the_map_names_its_zones_and_is_labelled_as_tradition(
    content_client: TestClient, lang: str, labels: list[str], tradition: list[str]
) -> None:
    found = entries(content_client, lang)["foot-map"]["labels"]
    texts = [label["text"] for label in found]
    assert set(labels) <= set(texts)
    assert texts[-2:] == tradition
    assert {label["anchor"] for label in found} == {"start", "middle", "end"}
    assert all(0 < label["x"] < 600 and 0 < label["y"] < 600 for label in found)


def test_the_map_is_a_map_and_the_others_are_drawings(content_client: TestClient) -> None:
    kinds = {name: entry["kind"] for name, entry in entries(content_client, "en").items()}
    assert kinds == dict.fromkeys((*DRAWN, *FRAMES), "drawing") | {"foot-map": "map"}
