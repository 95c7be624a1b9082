"""Talking to a STAC API through our own http client, with pages that come to an end."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

from pystac import MediaType, STACError, STACTypeError
from pystac.link import Link
from pystac_client import Client as ApiClient
from pystac_client.errors import ClientTypeError
from pystac_client.stac_api_io import StacApiIO

from groundbreak.catalog.client import Answer, Client, FetchError, TransientError

INVALID = (STACError, STACTypeError, KeyError, TypeError, ValueError, AttributeError)
"""What pystac raises for JSON that is not STAC."""

MOST_BYTES = 1 << 28
MOST_PAGES = 1000


class ApiIO(StacApiIO):
    """How pystac-client sends requests and turns pages.

    ``looped`` becomes True when an API sent a next page that it had sent before.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(max_retries=None)
        self._client = client
        self.looped = False

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """The text of a JSON answer.

        Raises:
            HrefError: ``href`` is not on the API's host.
            FetchError: there was no such answer.
        """
        sent = {"Accept": "application/geo+json, application/json", **(headers or {})}
        if (method or "GET").upper() == "POST":
            return self._client.fetch(href, _json_text, headers=sent, body=parameters or {})
        return self._client.fetch(href, _json_text, headers=sent, parameters=parameters)

    def get_pages(
        self, url: str, method: str | None = None, parameters: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The pages of a search or of the collections, each once."""
        page = self.read_json(url, method=method, parameters=parameters)
        asked = set()
        for _ in range(MOST_PAGES):
            entries = page.get("features", page.get("collections"))
            if not isinstance(entries, list):
                raise FetchError(url, "answers with something that is not a page of a list")
            if not entries:
                return
            yield page
            following = _next_link(page)
            if following is None:
                return
            fingerprint = json.dumps(following, sort_keys=True)
            if fingerprint in asked:
                self.looped = True
                return
            asked.add(fingerprint)
            page = self.read_json(Link.from_dict(following), parameters=parameters)
        self.looped = True


def open_api(url: str, io: ApiIO) -> ApiClient:
    """The API behind its landing page.

    Raises:
        FetchError: there is none, or it cannot be searched.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about conformance, which is looked at here
        try:
            api = ApiClient.open(url, stac_io=io)
        except (ClientTypeError, *INVALID):
            raise FetchError(url, "is not the landing page of a STAC API") from None
    for link in api.get_links("search"):
        link.media_type = link.media_type or MediaType.GEOJSON  # some leave it out
    if api.get_search_link() is None:
        raise FetchError(url, "is a STAC catalogue that cannot be searched")
    if not api.conforms_to("ITEM_SEARCH"):  # it has a search page all the same
        api.add_conforms_to("ITEM_SEARCH")
    return api


def search_method(api: ApiClient) -> str:
    """POST where the API offers it, since a site's outline may be too long for an address."""
    methods = {str(link.extra_fields.get("method", "GET")) for link in api.get_links("search")}
    return "POST" if "POST" in methods else "GET"


def cloud_filter(api: ApiClient, most: float) -> dict[str, Any]:
    """Search parameters that limit the cloud cover, empty where the API cannot."""
    if api.conforms_to("QUERY"):
        return {"query": {"eo:cloud_cover": {"lte": most}}}
    if api.conforms_to("FILTER"):
        limit = {"op": "<=", "args": [{"property": "eo:cloud_cover"}, most]}
        return {"filter": limit, "filter_lang": "cql2-json"}
    return {}


def collection_ids(api: ApiClient) -> list[str]:
    """What the API's collections are called; empty if it does not tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the API does not promise to have any
        try:
            return sorted(collection.id for collection in api.get_collections())
        except (FetchError, *INVALID):
            return []


def _next_link(page: dict[str, Any]) -> dict[str, Any] | None:
    links = page.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and link.get("href"):
            return link
    return None


def _json_text(answer: Answer) -> str:
    try:
        text = answer.body(MOST_BYTES).decode("utf-8")
        told = json.loads(text)
    except ValueError:
        raise TransientError("answers with something that is not JSON") from None
    if not isinstance(told, dict):
        raise TransientError("answers with something that is not a JSON object")
    return text
