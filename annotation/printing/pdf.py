"""A report on paper."""

import hashlib
import logging

from annotation.errors import PdfUnavailable

HOW_TO_INSTALL = (
    "Making a PDF needs Pango, which is not installed here. On Debian and Ubuntu: apt-get install "
    "--no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; on macOS: brew "
    "install pango. "
    "The HTML report needs nothing and can be printed from a browser."
)


def pdf_of(html: str) -> bytes:
    """The page as PDF; the same page gives the same bytes. Raises PdfUnavailable.

    Nothing is fetched: the page holds all that it needs.
    """
    try:
        # It loads Pango when it is imported, which fails where Pango is missing.
        import weasyprint
    except OSError as error:
        raise PdfUnavailable(HOW_TO_INSTALL) from error
    # It tells of every rule that is meant for screens.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    page = weasyprint.HTML(string=html, url_fetcher=_refuse)
    identifier = hashlib.sha256(html.encode()).digest()[:16]
    return page.write_pdf(pdf_identifier=identifier, pdf_tags=True)


def _refuse(url: str, *args: object, **options: object) -> dict:
    raise ValueError(f"A report fetches nothing, and not {url[:80]}.")
