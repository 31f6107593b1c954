"""The page as a person uses it, in a real browser."""

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
