package transform

// Codes of an End. The list is closed.
const (
	CodeDropped   = "transformation_dropped"   // the code returned nothing; not quarantined
	CodeFailed    = "transformation_failed"    // it threw, or returned what is no event
	CodeTimeout   = "transformation_timeout"   // it ran too long
	CodeMemory    = "transformation_memory"    // it used too much memory
	CodeOutput    = "transformation_output"    // an output is too large, or there are too many
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

// heavy reports whether code is of a limit that costs others time.
func heavy(code string) bool {
	return code == CodeTimeout || code == CodeMemory || code == CodeKilled
}
