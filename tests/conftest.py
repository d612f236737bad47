"""What all tests share with pytest itself."""


def pytest_collection_modifyitems(items):
    """Start the files that build whole pipelines first: else one worker ends with them alone."""
    slow = {item.path for item in items if item.get_closest_marker("pipeline")}
    items.sort(key=lambda item: item.path not in slow)  # stable: else the order stays
