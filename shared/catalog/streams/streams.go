// Package streams is what a spec says of the streams of a source that is pulled: which
// requests give their rows, in which pages, by which cursor, and which deletes can be
// seen. Parse reads it from a spec.yaml and refuses what is not right with the place in
// the file and a sentence. The format is described in docs/source-format.md.
//
// A Spec that Parse returned without problems can be run: nothing in it is looked up
// later, and its size is bounded.
package streams

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
	"weir/shared/catalog/streams/word"
	"weir/shared/fault"
)

// Spec is the streams of a kind, and what answers mean.
type Spec struct {
	Streams []Stream
	Errors  map[int]string // by status: what it means
	Answers []Answer       // what answers with something in their body mean: the first that fits, before Errors
}

// Answer is what an answer of a status means in whose body all tests hold.
type Answer struct {
	Status int
	When   []Test
	Is     string
}

// Stream is rows of one kind.
type Stream struct {
	Name, Doc string
	For       string // the stream for each of whose rows this one is asked; "": none
	Request
	Key     []string // paths in a row; its id is their values with ":" between them
	Cursor  *Cursor  // nil: all rows are read each time
	Deletes Deletes
	Changes *Changes // nil: the list itself tells of changes
	Job     *Job     // nil: the list is there when it is asked for
	Compare int      // of a list that is read whole: rows are given in groups of so many where one has changed; 0: all are
	Into    string   // the stream whose rows these are; "": this one
	Add     []Member // what each row gets beside its own members
	Off     bool     // pulled only where a configuration names it
}

// Request is how a list of rows is read.
type Request struct {
	Method  string // GET or POST
	Path    string // a template
	Query   []Member
	Headers []Member
	Body    []byte // JSON whose texts are templates; nil: none
	Pages   Pages
	Rows    []string // the path to the list; nil: the answer itself
	Row     []string // in an element; nil: the element
	Columns *Columns // nil: rows are objects

	// Entry is what {stream.NAME} stands for, of a stream that an entry of a setting names:
	// name and value of the entry, and by setting the value of another map's entry of this name.
	Entry Entry
}

// Columns make an object of each row that is a list of values.
type Columns struct {
	Of     []Column
	Number string // the member that is the row's number; "": there is none
	First  int    // the number of the first one
	Skip   int    // so many rows at the beginning are none
	Answer []Path // what of the answer each row gets

	// Require are paths that have a value in each row; nil: all are rows.
	Require [][]string
}

// Path is a member with the path of its value.
type Path struct {
	Name string
	Path []string
}

// Column is values of a row with their names, in the same order. Names is a path in the
// answer, Values one in the row, Name and Value in an element of these.
type Column struct {
	Names, Name, Values, Value []string
	Key                        string // the member that is all the values together; "": there is none
}

// Job is what makes a list before it is read.
type Job struct {
	Request          // that begins it
	ID      []string // in the answer: what {job.id} stands for
	Status  string   // the path that says how far it is, a template
	Done    []Test   // all hold in the answer when it is there
	Failed  []Test   // or when there will be none
}

// Member is a parameter or header; its value is a template. It is left out where a
// setting that it names is not given.
type Member struct{ Name, Value string }

// Pages says how a list is divided.
type Pages struct {
	By        string
	Path      []string // Token, NextURL: in the answer
	Param     string   // what the position is given as; in a body a path with dots
	InBody    bool
	Done      []string // a boolean of the answer that is true on the last page
	More      []string // one that is false on the last page
	While     []string // what is in the answer of all pages but the last
	Size      int      // rows of a page; 0: the vendor's number
	SizeParam string
	First     int  // Page: the number of the first
	Moving    bool // rows move between pages while these are read
}

// Cursor is the field that rises when a row changes.
type Cursor struct {
	Field       []string
	Type        string
	Lag         time.Duration // rows are all there so long after their time
	Desc        bool          // lists begin with the newest
	Granularity time.Duration // of the vendor's filter; 0: a millisecond
	Restate     time.Duration // values of the last so long may change without a new time
	Span        time.Duration // a window is so long at most; 0: up to now
	Oldest      time.Duration // rows from before so long ago are not asked for; 0: all are
	Unfiltered  bool          // the request names no window: lists are read whole, or up to the last window
}

// Deletes say what is seen of deleted rows: Flag, Feed or Unseen.
type Deletes struct {
	See  string
	When []Test // Flag: all hold in a row that is deleted
}

// Test holds when the value at a path is one of texts; with none, when there is a value
// that is neither null, false nor empty.
type Test struct {
	Path []string
	Is   []string
}

// Changes is a list of changes that is read once the stream's own list is read whole.
type Changes struct {
	Request
	Cursor  Cursor
	Deletes []Test
	Keep    time.Duration // what is older is not in it: the stream's list is read anew
}

// Known is what the rest of a spec says.
type Known struct {
	Settings []string
	Base     bool
	Each     bool // entries of a setting name the streams
}

// Limits of a file.
const (
	maxStreams = 200
	maxName    = 63
)

var (
	streamName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	reference  = regexp.MustCompile(`\{(settings|window|parent|page|stream|job)\.([A-Za-z0-9_.]+)(?:\|([a-z0-9_]+))?\}`)
)

// Expand fills in a template by what value returns of a reference: its root, the name
// behind that and the format, "" for none. It reports whether every value is there.
func Expand(template string, value func(root, name, format string) (string, bool)) (text string, all bool) {
	if !strings.Contains(template, "{") {
		return template, true
	}
	all = true
	text = reference.ReplaceAllStringFunc(template, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		v, ok := value(m[1], m[2], m[3])
		all = all && ok
		return v
	})
	return text, all
}

// Whole reports whether a template is one reference and nothing else, whose format gives
// a number: then it stands in a body as one.
func Whole(template string) bool {
	m := reference.FindStringSubmatch(template)
	return m != nil && m[0] == template && slices.Contains([]string{word.Unix, word.UnixMS, word.Integer}, m[3])
}

// Stream returns the stream of a name, nil when there is none.
func (s *Spec) Stream(name string) *Stream {
	i := slices.IndexFunc(s.Streams, func(x Stream) bool { return x.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Streams[i]
}

// Named is the name of the stream of something with a name of its own, such as a table:
// in lower case, with '_' for what a name does not hold. "": it makes none.
func Named(text string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(text))
	if !streamName.MatchString(name) || len(name) > maxName {
		return ""
	}
	return name
}

// Outline is what forms and pages say of a stream.
type Outline struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`              // a sentence
	Parent  string   `json:"parent,omitempty"` // the stream for each of whose rows it is read
	Into    string   `json:"into,omitempty"`   // the stream whose rows these are, where that is another
	Key     []string `json:"key"`              // the fields that make its key, as paths with dots
	Cursor  string   `json:"cursor,omitempty"` // the field that tells of changes; empty: all rows are read each time
	Deletes string   `json:"deletes"`          // what is seen of deleted rows: flag, feed or unseen
	Off     bool     `json:"off,omitempty"`    // pulled only where a configuration names it
}

// Outlines returns those of all streams.
func (s *Spec) Outlines() []Outline {
	var all []Outline
	for _, x := range s.Streams {
		of := Outline{Name: x.Name, Doc: x.Doc, Parent: x.For, Into: x.Into, Key: x.Key, Deletes: x.Deletes.See, Off: x.Off}
		if x.Cursor != nil && (!x.Cursor.Unfiltered || x.Cursor.Desc) { // others are read whole
			of.Cursor = strings.Join(x.Cursor.Field, ".")
		}
		if x.Changes != nil {
			of.Cursor = strings.Join(x.Changes.Cursor.Field, ".")
		}
		all = append(all, of)
	}
	return all
}

// Parse reads the parts streams and errors of a file.
func Parse(streams, errors *yaml.Node, known Known) (Spec, []fault.Problem) {
	p := &parser{known: known}
	var s Spec
	all := p.Mapping(streams, "streams")
	switch {
	case known.Each && (len(all) != 1 || all[0].Key != Each):
		p.Add("streams", "required", "Where streamsOf names a setting, there is one stream, "+Each+", which says how that of an entry is read.")
	case len(all) == 0 || len(all) > maxStreams:
		p.Add("streams", "required", "A source that is pulled has 1 to %d streams.", maxStreams)
	}
	for _, m := range all {
		p.before = s.Streams
		s.Streams = append(s.Streams, p.stream(m))
	}
	if !errors.IsZero() {
		s.Errors = map[int]string{}
		for _, m := range p.Mapping(errors, "errors") {
			status, err := strconv.Atoi(m.Key)
			if err != nil || status < 200 || status > 599 {
				p.Add(m.At, "wrong_type", "Errors stand under their status, 200 to 599.")
			}
			if document.Resolved(m.Node).Kind == yaml.SequenceNode {
				s.Answers = append(s.Answers, p.answers(status, m)...)
				continue
			}
			if status < 400 {
				p.Add(m.At, "required", "Say what of an answer of this status is no success: a list of when and is.")
			}
			s.Errors[status] = p.meaning(m)
		}
	}
	return s, p.Problems
}

// parser reads the parts of a file.
type parser struct {
	document.Reader
	known  Known
	before []Stream
	parent bool // the stream is for each row of another
	job    bool // the stream has a job
}
