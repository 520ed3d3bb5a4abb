"""What the person's device talks to: the capture channel, its page and SDK, and the judging of what it sent."""
