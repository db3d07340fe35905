package script

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/shared/fault"
	"weir/shared/worker"
)

// Task is the name under which a program runs bundle.Serve in a worker process.
const Task = "script"

// Limits of a worker process and what it is told.
const (
	WorkerMemory = 512 << 20      // bytes
	MaxRequest   = 3 * maxTotal   // bytes: texts are base 64
	maxAnswer    = 8 * maxTotal   // bytes: a step holds its libraries, and its map
	maxText      = 1 << 10        // bytes of a problem's text
	FrameRequest = byte(iota) + 1 // a Request as JSON
	FrameAnswer                   // an Answer as JSON
)

// Request is files to look at. Each gets an Answer, in this order: libraries, then
// scripts.
type Request struct {
	Libraries []Text `json:"libraries"`
	Look      []int  `json:"look"` // at these libraries, also when nobody imports them
	Scripts   []Text `json:"scripts"`
}

// Text is a File to the byte.
type Text struct {
	Name string `json:"name"`
	Code []byte `json:"code"`
}

// File returns the file.
func (t Text) File() File { return File{Name: t.Name, Code: string(t.Code)} }

// Answer is what came of one file: a Step of a script without problems.
type Answer struct {
	Code     string          `json:"code"`
	Batch    bool            `json:"batch"`
	Map      []byte          `json:"map"`
	Problems []fault.Problem `json:"problems"`
}

// places are the paths of problems that a worker may name.
var places = regexp.MustCompile(`^(script|libraries\[\d{1,3}\])$`)

// readAnswer reads an answer and believes nothing that is not one.
func readAnswer(kind byte, body []byte) (Answer, error) {
	var a Answer
	if kind != FrameAnswer || json.Unmarshal(body, &a) != nil || len(a.Problems) > maxProblems {
		return Answer{}, worker.ErrFrame
	}
	for i, p := range a.Problems {
		if !places.MatchString(p.Path) || !slices.Contains([]string{CodeSyntax, CodeImport, CodeExport, CodeExports}, p.Code) {
			return Answer{}, fmt.Errorf("a problem of a strange kind: %w", worker.ErrFrame)
		}
		if len(p.Text) > maxText {
			cut := maxText
			for !utf8.RuneStart(p.Text[cut]) {
				cut--
			}
			a.Problems[i].Text = strings.TrimSpace(p.Text[:cut]) + "…"
		}
	}
	return a, nil
}
