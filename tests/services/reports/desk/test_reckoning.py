"""Of very many reports, figures are computed beside the pages and kept: the same figures, with their age."""

import re
import threading

import pytest
from tests.services.reports.desk.conftest import COMMUNE, NOW, account, report

from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.services.reports.desk import reckoners, reckoning
from beffroi.services.reports.desk.reckoning import Order

HOME = "/services/reports"
PAGES = {"figures": f"{HOME}/chiffres", "bias": f"{HOME}/biais"}
PAPERS = (f"{HOME}/chiffres/area.csv", f"{HOME}/biais/extrait.zip")


@pytest.fixture
def many(town, ids, monkeypatch):
    """Forty reports, with people who say so too; from ten on, they are many."""
    numbers = [
        report(town, ids, n, requested=NOW - (3 + n) * DAY_US, area="Gare" if n % 2 else "Centre", state="closed",
               reason="repaired", closed=NOW - DAY_US) for n in range(40)
    ]  # fmt: skip
    with town.store.records.writer(SYSTEM) as writer:
        for n in range(80):
            told = {"request": numbers[n % 40], "kind": "me_too", "actor": "neighbour", "at": NOW - 2 * DAY_US + n, "reporter": f"p{n}"}  # fmt: skip
            writer.create("report_update", told, territory=COMMUNE)
    monkeypatch.setattr(reckoning, "FEW", 10)
    return numbers


def tables(page: str) -> list[str]:
    return re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", page)


def reckon_all(town) -> list[Order]:
    found = reckoning.orders(town)
    for order in found:
        reckoners.reckon(town, order)
    return found


@pytest.mark.parametrize("name", ["figures", "bias"])
def test_what_is_kept_is_what_would_be_computed(town, many, agent, browser, monkeypatch, name) -> None:
    one, address = browser(agent), PAGES[name]
    first = one.get(address).text
    assert "Calcul en cours" in first
    assert tables(first) == []
    assert "Calcul en cours" in one.get(address).text  # who comes next waits for the same one
    paper = next(path for path in PAPERS if path.startswith(address))
    assert one.get(paper).status_code == 503
    assert [(o.name, o.territories) for o in reckon_all(town)] == [(name, (COMMUNE,))]
    kept, file = one.get(address).text, one.get(paper).content
    assert "Calculé à l&#39;instant" in kept
    monkeypatch.setattr(reckoning, "FEW", 1000)
    live = one.get(address).text
    assert "Calculer de nouveau" not in live
    assert tables(kept) == tables(live) != []
    assert file == one.get(paper).content


def test_anyone_who_reads_may_ask_for_it_anew(town, many, agent, browser, monkeypatch) -> None:
    one, address = browser(account(town, "elu", "Agnès", COMMUNE)), PAGES["figures"]
    one.get(address)
    reckon_all(town)
    monkeypatch.setattr(town, "clock", lambda: NOW + DAY_US // 2)
    assert "Calculé il y a 12 h" in one.get(address).text.replace("\u00a0", " ").replace("\u202f", " ")
    answer = one.submit(address, f"{HOME}/calcul", {"name": "figures", "back": f"{address}?jours=90"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{address}?jours=90")
    page = one.get(address).text
    assert "Calcul en cours" in page
    assert tables(page) != []  # the last ones stay in sight
    (order,) = reckoning.orders(town)
    reckoning.tell(town, order)(0.42)
    assert 'value="0.42"' in one.get(address).text
    reckoning.failed(town, order, "MemoryError")
    assert "n&#39;a pas abouti" in one.get(address).text
    assert reckoning.orders(town) == []
    assert one.submit(address, f"{HOME}/calcul", {"name": "figures", "back": "//ailleurs.example.org"}).headers["location"] == address  # fmt: skip
    reckon_all(town)
    assert "Calculé à l&#39;instant" in one.get(address).text
    assert one.submit(address, f"{HOME}/calcul", {"name": "autre"}).status_code == 404
    assert browser().post(f"{HOME}/calcul", data={"name": "figures"}).status_code in (401, 403)


def test_each_reads_what_is_of_their_territories(town, many, browser) -> None:
    near, far = account(town, "elu", "Agnès", COMMUNE), account(town, "elu", "Paul", "18902")
    browser(near).get(PAGES["figures"])
    reckon_all(town)
    assert ">40<" in browser(near).get(PAGES["figures"]).text
    assert "Aucun signalement" in browser(far).get(PAGES["figures"]).text  # they have few: none


def test_what_is_a_day_old_is_computed_again_and_its_file_replaced(
    town, many, agent, browser, monkeypatch
) -> None:
    one = browser(agent)
    one.get(PAGES["bias"])
    reckon_all(town)
    before = town.store.files.names()
    reckoning.renew(town)
    assert reckoning.orders(town) == []
    monkeypatch.setattr(town, "clock", lambda: NOW + DAY_US)
    reckoning.renew(town)
    assert [o.name for o in reckon_all(town)] == ["bias"]
    after = town.store.files.names()
    assert len(before) == len(after) == 1
    assert before != after  # a day more was watched


def test_what_another_version_kept_is_computed_again(town, many, agent, browser) -> None:
    one, address = browser(agent), PAGES["figures"]
    one.get(address)
    (order,) = reckon_all(town)
    key = f"{order.key}.kept"
    town.store.set_setting(key, town.store.setting(key) | {"result": {"365": {"days": 365}}})
    assert "Calcul en cours" in one.get(address).text
    assert reckon_all(town) == [order] and tables(one.get(address).text) != []


def test_the_duty_computes_in_a_process_of_its_own(town, many, agent, browser) -> None:
    browser(agent).get(PAGES["figures"])
    stop, (order,) = threading.Event(), reckoning.orders(town)
    assert reckoners.reckon_apart(town, order, stop) == ""
    assert reckoning.orders(town) == []
    assert reckoning.kept_of(town, "figures", agent, dict)[0].reports == 40
    wrong = Order("figures", (COMMUNE,), NOW)
    stop.set()  # the town is being stopped: no result, no fault
    assert reckoners.reckon_apart(town, wrong, stop) == ""
