package transform

import "weir/dataplane/transform/engine"

// Codes of an End. The list is closed.
const (
	CodeDropped   = engine.CodeDropped         // the code returned nothing; not quarantined
	CodeFailed    = engine.CodeFailed          // it threw, or returned what is no event
	CodeTimeout   = engine.CodeTimeout         // it ran too long
	CodeMemory    = engine.CodeMemory          // it used too much memory
	CodeOutput    = engine.CodeOutput          // an output is too large, or there are too many
	CodeKilled    = "transformation_killed"    // it killed a worker twice
	CodeSuspended = "transformation_suspended" // its predecessors all met limits; nothing was run
)

// known returns code when a worker may say it, else CodeFailed.
func known(code string) string {
	switch code {
	case CodeDropped, CodeTimeout, CodeMemory, CodeOutput:
		return code
	}
	return CodeFailed
}

// metLimit reports whether code is of a limit that costs others time.
func metLimit(code string) bool {
	return code == CodeTimeout || code == CodeMemory || code == CodeKilled
}
