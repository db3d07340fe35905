// Package word is the words of a spec's streams that decide how they are read.
package word

// Meanings of statuses that are no success: the credentials have to be renewed; the
// account has no such stream; what the pages went by has ended, so that the window
// begins again; later is better; the account's limit is reached.
const (
	Reauthorize = "reauthorize"
	Skip        = "skip"
	Expired     = "expired"
	Retry       = "retry"
	Wait        = "wait"
)

// The ways in which lists are divided into pages.
const (
	One     = ""         // there is one page
	Token   = "token"    // the answer has a token for the next page
	Link    = "link"     // the header Link has the next page's address
	NextURL = "next_url" // the answer has the next page's address
	AfterID = "after_id" // the next page is asked for by the last row's key
	Offset  = "offset"   // by the number of rows before it
	Page    = "page"     // by its number
)

// Types of cursors.
const (
	RFC3339 = "rfc3339"
	Unix    = "unix"
	UnixMS  = "unix_ms"
	Date    = "date"
	Integer = "integer"
)

// What is seen of deletes.
const (
	Flag   = "flag"
	Feed   = "feed"
	Unseen = "unseen"
)
