package store

import (
	"cmp"
	"context"
	"time"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/idempotencykey"
	"weir/shared/fault"
)

// Response is the answer to an idempotent request, kept to be given again.
type Response struct {
	Status int // HTTP status
	ETag   string
	Body   []byte
}

// How long an answer is kept, and how long a claim without one keeps others
// away: longer than any request may take, shorter than a person's patience.
const (
	keepAnswer = 24 * time.Hour
	keepClaim  = time.Minute
)

// outOfTurn is ctx for a write that leaves no audit row, which waits for no other.
func outOfTurn(ctx context.Context) context.Context { return chain.With(ctx, chain.Origin{}) }

// keyOwner is whose keys are told apart: names of tokens are not unique.
func keyOwner(who Actor) string { return string(who.Kind) + ":" + cmp.Or(who.ID, who.Name) }

// ClaimKey says that a request with this idempotency key begins. When the same
// request of the same actor was answered in the last 24 hours it returns that
// answer and true: the caller gives it again and does nothing else. Otherwise
// the caller acts and calls AnswerKey. Claims leave no audit row; what the
// request does leaves its own.
//
// fault.Conflict: the same request is being worked on; a claim that nobody
// answered counts for a minute. fault.Invalid: the key was used for another
// request.
func (s *Store) ClaimKey(ctx context.Context, who Actor, key string, request Hash) (Response, bool, error) {
	var out Response
	answered := false
	err := s.write(outOfTurn(ctx), who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		out, answered = Response{}, false
		now := s.now()
		if _, err := tx.IdempotencyKey.Delete().Where(idempotencykey.CreatedAtLTE(now.Add(-keepAnswer))).Exec(ctx); err != nil {
			return trail{}, err
		}
		row, err := tx.IdempotencyKey.Query().Where(idempotencykey.Actor(keyOwner(who)), idempotencykey.Key(key)).Only(ctx)
		switch {
		case err == nil && row.Status == 0 && row.CreatedAt.After(now.Add(-keepClaim)):
			return trail{}, fault.New(fault.Conflict, "a request with this idempotency key is being worked on")
		case err == nil && row.Status == 0: // whoever claimed it died
			if err := tx.IdempotencyKey.DeleteOne(row).Exec(ctx); err != nil {
				return trail{}, err
			}
		case err == nil && row.Request != request.column():
			return trail{}, fault.Problems("the idempotency key was used before", []fault.Problem{{
				Path: "Idempotency-Key", Code: "idempotency_key_reused",
				Text: "This key was used for another request in the last 24 hours. Take a new key.",
			}})
		case err == nil:
			out, answered = Response{Status: row.Status, ETag: row.Etag, Body: row.Body}, true
			return trail{}, nil
		case !ent.IsNotFound(err):
			return trail{}, err
		}
		return trail{}, tx.IdempotencyKey.Create().SetActor(keyOwner(who)).SetKey(key).
			SetRequest(request.column()).SetCreatedAt(now).Exec(ctx)
	})
	if err != nil {
		return Response{}, false, wrap(err, "claim an idempotency key")
	}
	return out, answered, nil
}

// AnswerKey keeps the answer to a claimed key. A Status of 0 drops the claim, so
// that the request may be tried again.
func (s *Store) AnswerKey(ctx context.Context, who Actor, key string, r Response) error {
	err := s.write(outOfTurn(ctx), who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		mine := idempotencykey.And(idempotencykey.Actor(keyOwner(who)), idempotencykey.Key(key), idempotencykey.Status(0))
		if r.Status == 0 {
			_, err := tx.IdempotencyKey.Delete().Where(mine).Exec(ctx)
			return trail{}, err
		}
		_, err := tx.IdempotencyKey.Update().Where(mine).SetStatus(r.Status).SetEtag(r.ETag).SetBody(r.Body).Save(ctx)
		return trail{}, err
	})
	return wrap(err, "answer an idempotency key")
}
