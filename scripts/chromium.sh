#!/bin/sh
# Chromium for the browser tests. Installs Debian's where apt may; says what it does; never fails.
find_it() { for name in chromium chromium-browser google-chrome; do command -v "$name" && return 0; done; return 1; }

if at=$(find_it); then
    echo "Browser tests use $at."
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "No chromium and no apt-get: the browser tests are skipped. Install chromium to run them."
    exit 0
fi
if [ "$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else
    echo "No chromium, and no leave to install it: the browser tests are skipped. Run: sudo apt-get install chromium"
    exit 0
fi
echo "Installing chromium for the browser tests (about 100 MB, a minute) ..."
if $sudo apt-get update -qq >/dev/null 2>&1 &&
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null 2>&1; then
    echo "Browser tests use $(find_it)."
else
    echo "chromium could not be installed: the browser tests are skipped."
fi
exit 0
