package store

import "context"

// Response is the answer to an idempotent request, kept to be given again.
type Response struct {
	Status int // HTTP status
	ETag   string
	Body   []byte
}

// ClaimKey says that a request with this idempotency key begins. When the same
// request of the same actor was answered in the last 24 hours it returns that
// answer and true: the caller gives it again and does nothing else. Otherwise
// the caller acts and calls AnswerKey.
//
// fault.Conflict: the same request is being worked on; a claim that nobody
// answered counts for a minute. fault.Invalid: the key was used for another
// request.
func (s *Store) ClaimKey(ctx context.Context, who Actor, key string, request Hash) (Response, bool, error) {
	return Response{}, false, errEmpty
}

// AnswerKey keeps the answer to a claimed key. A Status of 0 drops the claim, so
// that the request may be tried again.
func (s *Store) AnswerKey(ctx context.Context, who Actor, key string, r Response) error {
	return errEmpty
}

// Setting returns a value of the installation. fault.Missing: it was never set.
func (s *Store) Setting(ctx context.Context, key string) ([]byte, error) { return nil, errEmpty }

// EnsureSetting returns the value of key, and sets it to value first when there
// is none: of several processes that start at once all get the same one. The
// audit log shows the key, not the value.
func (s *Store) EnsureSetting(ctx context.Context, who Actor, key string, value []byte) ([]byte, error) {
	return nil, errEmpty
}
