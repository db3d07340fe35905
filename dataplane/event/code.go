package event

import "weir/shared/fault"

// Code is a reason for which a member or a whole body is refused. The list is
// closed.
type Code string

// Reasons to refuse one member.
const (
	NotObject    Code = "not_an_object"
	NoID         Code = "no_id"
	TooLarge     Code = "event_too_large"
	TooDeep      Code = "too_deep"
	InvalidUTF8  Code = "invalid_utf8"
	InvalidJSON  Code = "invalid_json" // of a member, or a body that cannot be cut
	DuplicateKey Code = "duplicate_key"
)

// Reasons to refuse a whole body.
const (
	NoBatch     Code = "no_batch"
	EmptyBatch  Code = "empty_batch"
	TooMany     Code = "too_many_events"
	TooExpanded Code = "batch_too_large"
)

// Text returns a sentence with cause and remedy that a sender may read.
func (c Code) Text() string {
	switch c {
	case NotObject:
		return "An event is a JSON object."
	case NoID:
		return "An event needs a userId or an anonymousId that is not blank."
	case TooLarge:
		return "An event may have at most 1 MiB, with the context and integrations of its batch."
	case TooDeep:
		return "An event may nest at most 128 levels."
	case InvalidUTF8:
		return "The bytes are not valid UTF-8."
	case InvalidJSON:
		return "This is not valid JSON."
	case DuplicateKey:
		return "A top-level key occurs twice; which one counts would be a guess."
	case NoBatch:
		return "The body has to be an object with a list named batch."
	case EmptyBatch:
		return "The batch has no events."
	case TooMany:
		return "The batch has more than 100,000 events; send several."
	case TooExpanded:
		return "The events with the context and integrations of their batch have more than 32 MiB; send several batches."
	}
	return "The event was refused."
}

// Err returns c as a fault.Invalid with one problem that carries the code.
func (c Code) Err() error {
	return fault.Problems("the body was refused", []fault.Problem{{Code: string(c), Text: c.Text()}})
}
