"""The page as a person uses it, in a real browser."""

import pytest

SLIDERS = "[...document.querySelectorAll('#state input[type=range]')]"
ANSWER = "document.querySelector('#choice')?.textContent"
MOVE = """(() => {{
  const slider = document.querySelectorAll('#state input[type=range]')[{number}];
  slider.value = {value};
  slider.dispatchEvent(new Event('input', {{bubbles: true}}));
}})()"""


def jobs_by_choice(server):
    """Returns numbers of jobs for which the student chooses A, and for which it chooses B."""
    state = server.ask("/schema")[1]["examples"][0]
    jobs = [[a, b] for a in (0, 1, 3, 8, 15, 20) for b in (0, 1, 2, 4, 8)]
    _, answers, _ = server.ask("/decide", [{"state": state | {"jobs": found}} for found in jobs])
    return {answer["choice"]: found for answer, found in zip(answers, jobs, strict=True)}


def test_the_choice_follows_the_state(browser, server):
    browser.size(1280, 900)
    browser.open(server.address)
    browser.wait_for(ANSWER)
    assert browser.value(f"{SLIDERS}.length") == 5
    wanted = jobs_by_choice(server)
    assert set(wanted) == {"A", "B"}
    for choice, jobs in [*wanted.items(), *wanted.items()]:
        for place in (0, 1):
            browser.value(MOVE.format(number=3 + place, value=jobs[place]))
        browser.wait_for(f"{ANSWER} === {choice!r}")
    browser.wait_for("document.querySelector('#simulator').textContent.includes('decides afterwards')")
    browser.wait_for("document.querySelector('#forecast').textContent.includes('128 futures')")
    assert browser.console == []


def test_student_teacher_and_simulator_are_side_by_side(browser, server):
    state = server.ask("/schema")[1]["examples"][0] | {"jobs": [9, 0]}
    _, reply, _ = server.ask("/decide", {"state": state, "what_if": 64})
    browser.size(1280, 900)
    browser.open(server.address)
    browser.wait_for(ANSWER)
    for place, jobs in enumerate(state["jobs"]):
        browser.value(MOVE.format(number=3 + place, value=jobs))
    browser.wait_for(f"document.querySelector('#situation').textContent === {reply['situation']!r}")
    browser.wait_for("document.querySelector('#simulator').textContent.includes('decides afterwards')")
    rows = browser.value(
        "[...document.querySelectorAll('#choices tr')].map(row => ({"
        "marks: [...row.querySelectorAll('.mark')].map(mark => mark.textContent),"
        "label: row.querySelector('th').firstChild.textContent,"
        "cells: [...row.querySelectorAll('td')].map(cell => cell.textContent)}))"
    )
    costs = reply["simulator"]["costs"]
    best = {
        "student": reply["choice"],
        "teacher": reply["teacher"]["choice"],
        "simulator": min(costs, key=costs.get),
    }
    assert [row["label"] for row in rows] == ["A", "B"]
    for row in rows:
        student, teacher, simulator = row["cells"]
        expected = {who for who, choice in best.items() if choice == row["label"]}
        assert expected == set(row["marks"]) & set(best)
        assert student.endswith("%")
        for cell, found in ((teacher, reply["teacher"]["costs"]), (simulator, costs)):
            assert float(cell.split("±")[0]) == pytest.approx(found[row["label"]], rel=0.01, abs=0.006)
    assert browser.console == []


def test_a_state_that_training_never_showed_is_marked(browser, server):
    browser.size(400, 900, dark=True)
    browser.open(server.address)
    browser.wait_for(ANSWER)
    browser.value(
        "(() => { const field = document.getElementById('field-jobs[0]'); field.value = 250;"
        "field.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    browser.wait_for("document.querySelector('#outside').textContent.includes('jobs[0] = 250, training had')")
    assert browser.value("document.documentElement.scrollWidth") <= 400
    assert browser.console == []


def test_every_control_has_a_name(browser, server):
    browser.open(server.address)
    browser.wait_for(ANSWER)
    fields = "[...document.querySelectorAll('input, select, textarea')]"
    unnamed = f"{fields}.filter(field => !field.labels.length && !field.ariaLabel)"
    assert browser.value(f"{unnamed}.length") == 0


def test_the_page_names_nothing_outside(server):
    status, text, headers = server.ask("/")
    assert status == 200 and "default-src 'none'" in headers["content-security-policy"]
    assert "http://" not in text and "https://" not in text and "//cdn" not in text
