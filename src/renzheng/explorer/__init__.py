"""The page on which a developer tries the signed API. It authorises nothing: its requests are signed in the browser."""
