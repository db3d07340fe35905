// Command weir-iceberg makes, evolves, commits to and compacts tables of Apache Iceberg for a
// plane, which starts it as a process of its own. It is a module of its own because of what it
// links.
//
// Requests come on standard input, answers go to standard output, a line of JSON each, one
// after the other; it ends when its input does. It has no way out but the plane's: objects
// and connections are asked for over the Unix socket that -plane names.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	plane := flag.String("plane", "", "the plane's Unix socket")
	flag.Parse()
	if err := serve(context.Background(), newHost(*plane), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "weir-iceberg:", err)
		os.Exit(1)
	}
}

// request is what a plane asks. Op says which of the fields count.
type request struct {
	Op string `json:"op"`

	// open: everything else is about tables of this catalogue.
	Root      string `json:"root,omitempty"`     // of locations: what is behind it, and a slash, is the key of an object
	Location  string `json:"location,omitempty"` // of tables that are made: below it are folders by namespace and table
	Namespace string `json:"namespace,omitempty"`
	REST      *rest  `json:"rest,omitempty"` // nil: the catalogue is files

	Table   string  `json:"table,omitempty"`
	Load    string  `json:"load,omitempty"`
	Event   string  `json:"event,omitempty"`
	Columns []field `json:"columns,omitempty"`
	Files   []file  `json:"files,omitempty"`

	Every  int   `json:"every,omitempty"`  // compact: after so many commits; 0 for at once
	KeepMS int64 `json:"keepMs,omitempty"` // compact: how old snapshots get, in milliseconds
}

// rest is a REST catalogue.
type rest struct {
	URL        string `json:"url"`
	Warehouse  string `json:"warehouse,omitempty"`
	Token      string `json:"token,omitempty"`
	Credential string `json:"credential,omitempty"` // ID:SECRET
	Scope      string `json:"scope,omitempty"`
	AuthURL    string `json:"authUrl,omitempty"`
}

// answer is what it is answered.
type answer struct {
	Code  string `json:"code,omitempty"` // empty: it was done
	Error string `json:"error,omitempty"`

	Table     *known   `json:"table,omitempty"`
	Committed bool     `json:"committed,omitempty"` // the load was in the table before
	Keys      []string `json:"keys,omitempty"`      // files: of the newest snapshot
	Removed   int      `json:"removed,omitempty"`   // compact: files that others are in the place of
	Added     int      `json:"added,omitempty"`
}

// Codes of answers.
const (
	codeFailed   = "failed"
	codeConflict = "conflict" // somebody else commits to the table all the time
	codeSchema   = "schema"   // the table is not one that rows can be added to
	codeAuth     = "auth"
	codeOut      = "unreachable"
)

// coded is an error with a code.
type coded struct {
	code string
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

func fail(code, format string, args ...any) error { return &coded{code, fmt.Errorf(format, args...)} }

// maxLine is the longest request, in bytes.
const maxLine = 256 << 20

func serve(ctx context.Context, h *host, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	enc := json.NewEncoder(out)
	var l *lake
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("a request is no JSON: %w", err)
		}
		a, err := func() (a answer, err error) {
			if r.Op == "open" {
				l, err = open(ctx, h, r)
				return answer{}, err
			}
			if l == nil {
				return answer{}, fail(codeFailed, "no catalogue is open")
			}
			return l.do(ctx, r)
		}()
		if err != nil {
			a = answer{Code: codeFailed, Error: err.Error()}
			var c *coded
			if errors.As(err, &c) {
				a.Code = c.code
			}
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}
