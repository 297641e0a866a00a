"""People log in, set a second step and look at who works on a study, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache

from annotation.actions import members
from annotation.vocabulary import StudyRole
from tests import cast

pytestmark = [pytest.mark.browser, pytest.mark.once]

OPEN_PAGES = ("/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/accounts/forgotten/")
OWN_PAGES = ("/accounts/", "/accounts/forget/", "/accounts/2fa/", "/accounts/2fa/totp/activate/")
DESK_PAGES = ("/desk/kites/members/",)
WINDOWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def findings(page, address: str) -> list[str]:
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    rules = [found["id"] for found in Axe().run(page).response["violations"]]
    return [f"{address}: {rule}" for rule in [*rules, *(["wider than the window"] if wide else [])]]


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_every_page_of_an_account_is_accessible_under_the_strict_policy(visit, study, width, scheme):
    cache.clear()
    members.add_member(study, cast.dan(), StudyRole.VIEWER)
    members.invite(study, "eve@example.org", StudyRole.EDITOR)
    alice = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = [rule for address in OPEN_PAGES for rule in findings(alice.page, address)]
    alice.log_in("alice")
    alice.page.goto("/accounts/reauthenticate/")
    alice.page.locator("[name=password]").fill(cast.PASSWORD)
    alice.page.locator("main button.primary").click()
    found += [rule for address in (*OWN_PAGES, *DESK_PAGES) for rule in findings(alice.page, address)]
    assert found == [] and alice.errors == []


def test_a_passkey_is_added_and_logs_in_alone(visit, study):
    cache.clear()
    alice = visit()
    devtools = alice.context.new_cdp_session(alice.page)
    devtools.send("WebAuthn.enable")
    key = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    alice.log_in("alice")
    alice.page.goto("/accounts/2fa/webauthn/add/")
    alice.page.locator("[name=password]").fill(cast.PASSWORD)
    alice.page.locator("main button.primary").click()
    alice.page.locator("[name=passwordless]").check()
    alice.page.locator("#mfa_webauthn_add").click()
    alice.page.wait_for_url("**/2fa/**")
    alice.page.wait_for_function("!location.pathname.endsWith('/add/')")
    alice.page.locator(".masthead form button").click()
    alice.page.goto("/accounts/login/")
    alice.page.locator("#passkey_login").click()
    alice.page.wait_for_url("**/desk/")
    assert alice.errors == []


def test_an_owner_invites_somebody_who_comes_to_see_the_study(visit, study):
    cache.clear()
    alice, eve = visit("alice"), visit()
    alice.page.goto("/desk/kites/members/")
    alice.page.locator("[name=person]").fill("eve@example.org")
    alice.page.get_by_role("button", name="Add or invite").click()
    address = alice.page.locator(".code-word code").inner_text()
    eve.page.goto(address)
    eve.page.get_by_role("link", name="Make an account").click()
    eve.page.locator("[name=username]").fill("eve")
    for name in ("password1", "password2"):
        eve.page.locator(f"[name={name}]").fill("kestrel over the moor")
    eve.page.locator("main button.primary").click()
    eve.page.get_by_role("button", name="Accept the invitation").click()
    eve.sees("You look at this study as a viewer")
    assert eve.page.locator("main form").count() == 0 and eve.errors == []
