"""What a person sees in a browser, who looks until the page has come."""


def shows(page, where, *texts):
    """Wait until the element has each of the texts. A click does not wait for the page that it
    leads to, so a look at the text right after it may still read the page before.
    """
    from playwright.sync_api import expect

    for text in texts:
        expect(page.locator(where).first).to_contain_text(text, timeout=15_000, use_inner_text=True)
