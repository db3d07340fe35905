package layout

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"weir/dataplane/layout/name"
)

// rules are what a kind of warehouse says of its layout in layout.yaml.
type rules struct {
	Name    string   `yaml:"name"`
	Aliases []string `yaml:"aliases"` // other names of the kind, in lower case
	MaxName int      `yaml:"maxName"` // bytes of a name; 0: no limit
	// CutBeforeEscaping cuts names also before reserved words get their underscore.
	CutBeforeEscaping bool `yaml:"cutBeforeEscaping"`
	UpperCase         bool `yaml:"upperCase"` // names are in upper case
	// Lake: an event may have any number of columns, and rows of users have no
	// sent_at, timestamp and original_timestamp.
	Lake bool `yaml:"lake"`
	// Wide: an event may have any number of columns. Loads put what a table or a row
	// cannot have into a column of its own.
	Wide bool `yaml:"wide"`
	// SystemColumns are names of columns that the server keeps to itself, in lower
	// case: they get an underscore, whatever the settings say of reserved words.
	SystemColumns      []string `yaml:"systemColumns"`
	LoadedAt           bool     `yaml:"loadedAt"`           // every row has loaded_at
	NoUsersTable       bool     `yaml:"noUsersTable"`       // identify makes no row of users
	LongText           bool     `yaml:"longText"`           // strings of over 512 characters are text
	ViolationErrors    bool     `yaml:"violationErrors"`    // the key violationErrors is JSON
	Arrays             bool     `yaml:"arrays"`             // enableArraySupport counts
	IdentityMergeRules bool     `yaml:"identityMergeRules"` // identityResolution counts
	// JSONPathType is the type of a value at a JSON path; empty: JSON paths do
	// not count.
	JSONPathType  Type `yaml:"jsonPathType"`
	FullEventType Type `yaml:"fullEventType"` // of rudder_event
}

// Dialect is the layout of one kind of warehouse. It is safe for many callers.
type Dialect struct {
	rules
	names    name.Rules
	std      [stdCount]string
	escaped  [stdCount]string // std where a reserved word has its underscore
	standard map[string]uint8
	segment  map[string]uint8 // standard in Segment's convention
	caches   [16]atomic.Pointer[name.Cache]
}

// Read makes the Dialect of a kind of warehouse from the two files of its folder:
// layout.yaml has the fields of rules, reserved.txt one reserved word a line. An
// error says which file is missing or wrong.
func Read(folder fs.FS) (*Dialect, error) {
	text, err := fs.ReadFile(folder, "layout.yaml")
	if err != nil {
		return nil, fmt.Errorf("read a layout: %w", err)
	}
	words, err := fs.ReadFile(folder, "reserved.txt")
	if err != nil {
		return nil, fmt.Errorf("read the reserved words of a layout: %w", err)
	}
	d := &Dialect{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d.rules); err != nil {
		return nil, fmt.Errorf("read layout.yaml: %w", err)
	}
	texts := []Type{JSON, Text, String}
	if d.rules.Name == "" || d.MaxName < 0 || !slices.Contains(texts, d.FullEventType) || d.JSONPathType != "" && !slices.Contains(texts, d.JSONPathType) {
		return nil, errors.New("read layout.yaml: it needs a name, a maxName that is not negative, a fullEventType (json, text or string), and such a jsonPathType or none")
	}
	d.names = name.Rules{Max: d.MaxName, CutBeforeEscaping: d.CutBeforeEscaping, UpperCase: d.UpperCase, Reserved: map[string]bool{}, System: d.SystemColumns}
	for w := range strings.FieldsSeq(string(words)) {
		d.names.Reserved[strings.ToUpper(w)] = true
	}
	d.fillStandard()
	return d, nil
}

// Lower is the layout with its names in lower case: loads have those, and a kind whose
// names are in upper case writes them so.
func (d *Dialect) Lower() *Dialect {
	if !d.UpperCase {
		return d
	}
	l := &Dialect{rules: d.rules, names: d.names}
	l.UpperCase, l.names.UpperCase = false, false
	l.fillStandard()
	return l
}

// Find finds the layout of a kind of warehouse by one of its names: see IsFor.
func Find(layouts []*Dialect, kind string) (*Dialect, bool) {
	i := slices.IndexFunc(layouts, func(d *Dialect) bool { return d.IsFor(kind) })
	if i < 0 {
		return nil, false
	}
	return layouts[i], true
}

// Kind is the kind of warehouse that the layout is for, such as bq.
func (d *Dialect) Kind() string { return d.rules.Name }

// IsFor says whether kind names this kind of warehouse, also by another name such
// as bigquery, without regard to case.
func (d *Dialect) IsFor(kind string) bool {
	kind = strings.ToLower(kind)
	return kind == d.rules.Name || slices.Contains(d.Aliases, kind)
}

// Table makes the names of tables for an event's name.
func (d *Dialect) Table(event string, o *Options) name.Table { return *d.namesOf(o).Table(event) }

// Column makes the name of a column.
func (d *Dialect) Column(s string, o *Options) string { return d.namesOf(o).Column([]byte(s)).Out }

// casing is what options say of names.
func (o *Options) casing() name.Casing {
	return name.Casing{DivideNumbers: o.UnderscoreDivideNumbers, Blendo: o.UseBlendoCasing, KeepReserved: o.SkipReservedKeywordsEscaping}
}

// namesOf finds the cache for what of the options concerns names.
func (d *Dialect) namesOf(o *Options) *name.Cache {
	i := 0
	for bit, on := range []bool{o.UnderscoreDivideNumbers, o.UseBlendoCasing, o.SkipReservedKeywordsEscaping, o.Layout == Segment} {
		if on {
			i |= 1 << bit
		}
	}
	n := d.caches[i].Load()
	if n == nil {
		marks := d.standard
		if o.Layout == Segment {
			marks = d.segment
		}
		n = name.NewCache(&d.names, o.casing(), marks)
		d.caches[i].Store(n)
	}
	return n
}
