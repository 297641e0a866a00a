"""What a body of the API may be. How large is Django's to say."""

from typing import IO

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from annotation import strict_json


class StrictJSONParser(JSONParser):
    """JSON in UTF-8, whatever character set the request names: some of those unpack a page into gigabytes."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: dict | None = None):
        try:
            return strict_json.read(stream.read().decode())
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8 text.") from error
        except strict_json.NotJSON as error:
            raise ParseError(str(error)) from error
