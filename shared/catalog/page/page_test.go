package page_test

import (
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/catalog/page"
)

const spec = `
family: destination
name: made
title: Made up
doc: For tests.
fields:
  - { name: pixel, type: string, title: Pixel, doc: "Which | one.", required: true }
  - { name: speed, type: enum, title: Speed, enum: [fast, slow], default: fast }
base: { any: "https://made.example" }
auth: [{ type: bearer, value: "{secrets.token}" }]
limits: { batch: { size: 50, bytes: 1000, wait: 1s } }
secrets: [{ name: token, type: string, title: Token, required: true }]
codes: [{ name: made_full, doc: the list is full }]
calls:
  - on: { type: [track] }
    path: "/of/{settings.pixel}"
    body: { name: { from: event, names: { Order Completed: bought } } }
    then: [{ path: /after, body: { id: messageId } }]
  - { on: { type: [group] }, drop: made_full }
`

// TestAPageTellsAllOfAKind: what becomes of events, every setting, secret, limit and code.
func TestAPageTellsAllOfAKind(t *testing.T) {
	t.Parallel()
	s, err := catalog.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	got := string(page.Write(s, page.Example{Event: "{}", Request: "POST /of/1"}))
	for _, want := range []string{
		"# Made up\nFor tests.\n", "    type: made\n    settings:\n      pixel: …\n    secrets:\n      token: { from: env, name: WEIR_SECRET_TOKEN }\n",
		"| track | `POST /of/{settings.pixel}`, then `POST /after` |", "| group | dropped: `made_full` |", "| Order Completed | bought |",
		"| `pixel` | string | required | Which \\| one. |", "| `speed` | fast, slow | `fast` | Speed |", "| `baseUrl` |", "| `token` |",
		"at most 50 events and a request 1000 bytes", "| `made_full` | the list is full |", "```\nPOST /of/1\n```",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not hold %q:\n%s", want, got)
		}
	}
}

// TestEveryKindHasAPage: no kind of this build breaks the page.
func TestEveryKindHasAPage(t *testing.T) {
	t.Parallel()
	for _, s := range catalog.All() {
		got := string(page.Write(s, page.Example{}))
		if !strings.HasPrefix(got, "# "+s.Title+"\n") || strings.Contains(got, "%!") {
			t.Errorf("%s: %s", s.Name, got)
		}
	}
}
