package transform

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"weir/dataplane/event"
	"weir/shared/fault"
)

// Codes for which checks drop an event.
const (
	CodeFiltered = "filtered" // its name is not allowed, or denied
	CodeBot      = "bot"      // its user agent is a bot's
)

// What a source does with events of bots.
const (
	botsKeep = "keep"
	botsFlag = "flag"
	botsDrop = "drop"
)

// Checks are a source's checks, as data. A nil Checks lets everything through.
type Checks struct {
	allow, deny map[string]bool
	bots        string
	anonymizeIP bool
}

// CompileChecks reads checks from a source's settings:
//
//	checks:
//	  events: { allow: [Order Completed], deny: [Heartbeat] }
//	  bots: keep | flag | drop
//	  anonymizeIP: true
//
// It returns nil when there is nothing to check. Problems have paths under
// settings.checks and codes of catalog.Check.
func CompileChecks(settings json.RawMessage) (*Checks, []fault.Problem) {
	var s struct {
		Checks struct {
			Events struct {
				Allow []string `json:"allow"`
				Deny  []string `json:"deny"`
			} `json:"events"`
			Bots        string `json:"bots"`
			AnonymizeIP bool   `json:"anonymizeIP"`
		} `json:"checks"`
	}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &s); err != nil {
			return nil, []fault.Problem{{Path: "settings.checks", Code: "malformed", Text: "The checks have events with lists allow and deny, bots and anonymizeIP."}}
		}
	}
	c := s.Checks
	if c.Bots == "" {
		c.Bots = botsKeep
	}
	if !slices.Contains([]string{botsKeep, botsFlag, botsDrop}, c.Bots) {
		return nil, []fault.Problem{{Path: "settings.checks.bots", Code: "not_in_enum", Text: "This is keep, flag or drop."}}
	}
	if len(c.Events.Allow) == 0 && len(c.Events.Deny) == 0 && c.Bots == botsKeep && !c.AnonymizeIP {
		return nil, nil
	}
	return &Checks{allow: set(c.Events.Allow), deny: set(c.Events.Deny), bots: c.Bots, anonymizeIP: c.AnonymizeIP}, nil
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// Apply checks one event. It returns the event, changed where the checks say so
// and as it was to the byte elsewhere; or, with the event as it was, the code for
// which it is dropped. Equal events have equal outcomes. Names are those of track calls; other calls
// have none and pass. A user agent is a bot's when it contains bot, crawler or
// spider, in any case. Of an address the last octet, or for IPv6 the last 80
// bits, becomes zero in request_ip and context.ip.
func (c *Checks) Apply(e event.Event) (out event.Event, drop string) {
	if c == nil {
		return e, ""
	}
	var name string
	var context []byte
	var edits edits
	for key, value := range event.Fields(e.JSON) {
		switch string(key) {
		case "event":
			name = event.Text(value)
		case "context":
			context = value
		case "request_ip":
			if c.anonymizeIP {
				edits.address(e.JSON, value)
			}
		}
	}
	if e.Type == "track" && (len(c.allow) > 0 && !c.allow[name] || c.deny[name]) {
		return e, CodeFiltered
	}
	bot := c.context(e.JSON, context, &edits)
	switch {
	case bot && c.bots == botsDrop:
		return e, CodeBot
	case bot && c.bots == botsFlag:
		edits.flag(e.JSON, context)
	}
	if len(edits) > 0 {
		e.JSON = edits.apply(e.JSON)
	}
	return e, ""
}

// context reports whether the user agent in an event's context is a bot's, and
// makes the address in it anonymous.
func (c *Checks) context(whole, context []byte, edits *edits) (bot bool) {
	if c.bots == botsKeep && !c.anonymizeIP {
		return false
	}
	for key, value := range event.Fields(context) {
		switch string(key) {
		case "userAgent":
			agent := strings.ToLower(event.Text(value))
			bot = bot || strings.Contains(agent, "bot") || strings.Contains(agent, "crawler") || strings.Contains(agent, "spider")
		case "ip":
			if c.anonymizeIP {
				edits.address(whole, value)
			}
		}
	}
	return bot
}

// edit replaces the bytes from start to end.
type edit struct {
	start, end int
	text       string
}

type edits []edit

// offset is where part begins in whole, of which it is a slice.
func offset(whole, part []byte) int { return cap(whole) - cap(part) }

// address adds the edit that makes an address anonymous. What is no address
// stays.
func (s *edits) address(whole, value []byte) {
	if masked, ok := anonymous(event.Text(value)); ok {
		at := offset(whole, value)
		*s = append(*s, edit{at, at + len(value), `"` + masked + `"`})
	}
}

// anonymous masks an address. False: it is none, or has nothing to mask.
func anonymous(text string) (string, bool) {
	ip, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return "", false
	}
	keep := 48
	if ip.Is4() || ip.Is4In6() {
		ip, keep = ip.Unmap(), 24
	}
	masked, err := ip.WithZone("").Prefix(keep)
	if err != nil {
		return "", false
	}
	out := masked.Addr().String()
	return out, out != text
}

// flag adds the edit that sets context.weir.bot.
func (s *edits) flag(whole, context []byte) {
	var weir []byte
	for key, value := range event.Fields(context) {
		if string(key) == "weir" {
			weir = value // of a repeated key the last counts
		}
	}
	var bot []byte
	for key, value := range event.Fields(weir) {
		if string(key) == "bot" {
			bot = value
		}
	}
	switch {
	case bot != nil:
		at := offset(whole, bot)
		*s = append(*s, edit{at, at + len(bot), "true"})
	case len(weir) > 0 && weir[0] == '{':
		s.member(offset(whole, weir), weir, `"bot":true`)
	case weir != nil:
		at := offset(whole, weir)
		*s = append(*s, edit{at, at + len(weir), `{"bot":true}`})
	default:
		s.member(offset(whole, context), context, `"weir":{"bot":true}`)
	}
}

// member adds a member to the object that begins at at.
func (s *edits) member(at int, object []byte, text string) {
	if len(strings.TrimSpace(string(object[1:len(object)-1]))) > 0 {
		text = "," + text
	}
	end := at + len(object) - 1
	*s = append(*s, edit{end, end, text})
}

// apply returns b with the edits, in new memory.
func (s edits) apply(b []byte) []byte {
	slices.SortStableFunc(s, func(x, y edit) int { return x.start - y.start })
	out := make([]byte, 0, len(b)+32*len(s))
	at := 0
	for _, e := range s {
		out = append(append(out, b[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, b[at:]...)
}
