// Package calls is what a spec says of the calls of a destination without code: which
// requests become of an event, what is looked up first, and what answers mean. Parse
// reads it from a spec.yaml and refuses what is not right with the place in the file
// and a sentence. The format is described in docs/destination-format.md.
//
// A Spec that Parse returned without problems can be run on any event: nothing in it
// is looked up later. The size of a Spec and its depth are bounded, so that one that
// somebody wrote for a workspace of his own costs no more than another.
package calls

import (
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
	"weir/shared/fault"
)

// Spec is what a file says of calls, lookups, answers and the test of a connection.
type Spec struct {
	Calls   []Call
	Lookups []Lookup
	Answers []Answer
	Test    *Request // changes nothing, and tells whether a connection is good; nil: the file declares none
	Good    Answer   // of Test: Status and When alone
	Go      []string // names of values that the folder's Go file makes
}

// Request is how a request is made.
type Request struct {
	Method  string
	URL     *Template // a whole address; nil: Path behind the kind's base
	Path    Template
	Query   []Member
	Headers []Member
	Format  string // json, form, lines, text or none
	Body    *Value // nil: none; of a call with parts, too
}

// Call is what becomes of the events that it matches.
type Call struct {
	At      string // its place in the file
	Types   []string
	Objects []string   // of records; nil: any
	Events  []string   // names, in the form of Canonical
	EventIn []Template // settings that name events
	When    Condition
	Require []Value // without which an event is dropped
	Age     *Age
	Drop    string // the code; "": it is sent
	Retry   string
	After   time.Duration
	Request
	Each  []Template // one request for each element of it; nil: one
	Max   int        // elements; 0: any number
	Parts []Value    // of a batch: several parts of one event, in the place of Body
	Batch *Batch
	Then  []Call
}

// Age says how old an event may be, and how far in the future.
type Age struct {
	Of         []Template
	Max, Ahead time.Duration // 0: any
	Code       string
}

// Batch says how parts become one request.
type Batch struct {
	Wrap *Value // with Items somewhere; nil: the list alone
	Max  int    // parts of a request; 0: any number
	// Distinct is a value of the event that no two events of a request share; nil: any may
	// be in one.
	Distinct []Template
}

// Lookup is what is asked before something is written.
type Lookup struct {
	At, Name string
	Types    []string
	When     Condition
	Key      []Template
	Request
	Found   []Template // of the answer
	Missing []int
	Once    bool // of events of a batch that found nothing by one key the first alone is sent, the others look up again
}

// Op is what kind of value a Value is.
type Op string

// The kinds of values.
const (
	From     Op = "from"
	Constant Op = "constant"
	Each     Op = "each"
	List     Op = "list"
	Rest     Op = "rest"
	Object   Op = "object"
	GoValue  Op = "go"
	Text     Op = "template" // a template that a setting gives
	Items    Op = "items"    // of a batch's wrap: the list of parts
	changed  Op = "changed"  // see Value.Changed
)

// Value is a value of a body.
type Value struct {
	Op        Op
	When      Condition
	From      []Template // From, Each and Rest: the first that is there
	Constant  []byte     // JSON
	As        []Conversion
	Names     []Table
	OnlyNamed bool
	Or        *Value // Constant or From
	Max       int    // Each and Rest: so many; Text: characters; 0: all
	KeepEmpty bool
	Body      *Value    // Each: of an element
	List      []Value   // List; of what is changed the new and the former value
	Where     Condition // of what is changed
	Members   []Member  // Object

	Except, Only Set // Rest
	Rename       map[string]string
	RenameBy     []Template // settings of names by names
	Flatten      string
	Keys         []Conversion
	Go           string // GoValue: its name

	Settings [][]string // Text: the settings; the first that has a template
	By       []Template // Text: of a setting that is a map, which one; names are in the form of ecommerce.Canonical
	Code     string     // of a value that is required
}

// Changed reports whether v is the first of List while Where holds, and else the second,
// if there is one. Paths of the first, and of Where, begin at the event.
func (v *Value) Changed() bool { return v.Op == changed }

// Member is a member of an object.
type Member struct {
	Name   Template
	Spread bool // the members of the value stand in the object itself
	Value  Value
}

// Set is names, given or by settings.
type Set struct {
	Names    []string
	Settings []Template
}

// Table is a table of names: given, in the form of Canonical, or by a setting.
type Table struct {
	Names   map[string]string
	Setting []Template
}

// Template is text with references. One that is a single reference is the value itself.
type Template []Piece

// Piece is a text, or the first of its references that is there.
type Piece struct {
	Text string
	Refs []Ref
}

// Ref leads to a value. Root is "" for the event, or the element of a list; settings,
// found, text (a constant), items, or a word that begins with $.
type Ref struct {
	Root string
	Path []string
	Text string // of Root text
}

// Conversion is a word of as with what it takes.
type Conversion struct {
	Word   string
	Text   string
	Number int
	Pairs  [][2]string
	Path   []string

	Template Template // of prefix and suffix, in the place of Text: it refers to settings alone
}

// Condition holds when all its tests do.
type Condition []Test

// Test is one test of a condition.
type Test struct {
	Any, None    []Condition // one holds; none holds
	Of           Template    // the value that is tested
	Exists       *bool
	Equals       []string // one of them, as text
	In           []Template
	Not          *Test
	Above, Below *float64
	Matches      string
	Is           string
	Event        bool // names are compared in the form of Canonical
}

// Answer says what an answer means.
type Answer struct {
	At       string
	Status   []int // a hundred stands for all of its: 4 for 400 to 499
	Contains string
	When     Condition
	Is       string
	Code     string
	Detail   []Template
	After    []Template
	Unit     time.Duration
	Items    [][]string // paths with * for each element or member
	Index    []string   // in an element; nil: the element itself
	Position bool       // the element's place in its list is the index
	ID       []string
	Part     [][]string // the first that a part has
	Where    Condition
	Reason   []string
	Reasons  map[string]Answer // with Is and Code alone
	Others   string
}

// Known is what the rest of a spec says.
type Known struct {
	Settings map[string]string // the type by name; of an object's members, by "batch.size"
	Codes    []string          // of the kind's own
	Base     bool              // there is an address
	Batch    bool              // there is limits.batch

	Destination bool // the kind is a destination
}

// Parse reads the four parts of a file. Nodes that are zero are absent.
func Parse(calls, lookups, answers, test *yaml.Node, known Known) (Spec, []fault.Problem) {
	p := &parser{known: known, lookups: map[string]bool{}}
	var s Spec
	if !known.Destination {
		p.Add("calls", "not_allowed", "Only destinations have calls, lookups and answers.")
	}
	if !lookups.IsZero() {
		for _, m := range p.Mapping(lookups, "lookups") {
			p.lookups[m.Key] = true
		}
		for _, m := range p.Mapping(lookups, "lookups") {
			s.Lookups = append(s.Lookups, p.lookup(m))
		}
	}
	if !calls.IsZero() {
		for i, n := range p.Sequence(calls, "calls") {
			s.Calls = append(s.Calls, p.call(n, document.Index("calls", i), nil))
		}
	}
	if !answers.IsZero() {
		for i, n := range p.Sequence(answers, "answers") {
			s.Answers = append(s.Answers, p.answer(n, document.Index("answers", i)))
		}
	}
	if !test.IsZero() {
		s.Test, s.Good = p.trial(test, "test")
	}
	s.Go = p.goNames
	return s, p.Problems
}

// formats are the forms of a body.
func formats() []string { return []string{"json", "form", "lines", "text", "none"} }

// sharedCodes are the codes of all kinds that a file may give.
func sharedCodes() []string {
	return []string{"unsupported_event", "missing_field", "event_too_old", "event_too_large", "busy", "server_error", "bad_request", "rejected_4xx",
		"rejected_400", "rejected_401", "rejected_403", "rejected_404", "rejected_409", "rejected_410", "rejected_422"}
}

// ParseTemplate reads a template that somebody wrote into a setting. It refers to events
// alone. Problems are at a place.
func ParseTemplate(text, at string) (Template, []fault.Problem) {
	var p parser
	t := p.template(text, at, scope{})
	return t, p.Problems
}

// parser reads the parts of a file.
type parser struct {
	document.Reader
	known   Known
	lookups map[string]bool
	goNames []string
}

// code reads a code of the kind's own, or one that all kinds share.
func (p *parser) code(m document.Pair) string {
	code := p.Text(m)
	if !slices.Contains(p.known.Codes, code) && !slices.Contains(sharedCodes(), code) {
		p.Add(m.At, "not_in_enum", "The code %q is not declared: add it to codes, or take one that all kinds share: %s.", code, strings.Join(sharedCodes(), ", "))
	}
	return code
}
