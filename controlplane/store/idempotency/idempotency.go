// Package idempotency keeps the answers to requests that their callers may send twice.
//
// It guarantees that of requests with one key of one caller one is worked on at a time, and
// that the others get its answer for a day. It refuses a key that was used for another request.
package idempotency

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/idempotencykey"
	"weir/shared/fault"
)

// Keys are the keys of an open database. They are safe for concurrent use.
type Keys struct{ db *database.DB }

// New returns the keys of db.
func New(db *database.DB) *Keys { return &Keys{db} }

// Owner is whose keys are told apart.
type Owner struct {
	ID   string // unique
	Name string // as the audit log has it
}

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

// Claim says that a request with this idempotency key begins. When the same
// request of the same actor was answered in the last 24 hours it returns that
// answer and true: the caller gives it again and does nothing else. Otherwise
// the caller acts and calls Answer. Claims leave no audit row; what the
// request does leaves its own.
//
// fault.Conflict: the same request is being worked on; a claim that nobody
// answered counts for a minute. fault.Invalid: the key was used for another
// request.
func (k *Keys) Claim(ctx context.Context, who Owner, key string, request [32]byte) (Response, bool, error) {
	var out Response
	answered := false
	err := k.db.Write(outOfTurn(ctx), who.Name, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		out, answered = Response{}, false
		now := k.db.Now()
		if _, err := tx.IdempotencyKey.Delete().Where(idempotencykey.CreatedAtLTE(now.Add(-keepAnswer))).Exec(ctx); err != nil {
			return database.Trail{}, err
		}
		row, err := tx.IdempotencyKey.Query().Where(idempotencykey.Actor(who.ID), idempotencykey.Key(key)).Only(ctx)
		switch {
		case err == nil && row.Status == 0 && row.CreatedAt.After(now.Add(-keepClaim)):
			return database.Trail{}, fault.New(fault.Conflict, "a request with this idempotency key is being worked on")
		case err == nil && row.Status == 0: // whoever claimed it died
			if err := tx.IdempotencyKey.DeleteOne(row).Exec(ctx); err != nil {
				return database.Trail{}, err
			}
		case err == nil && row.Request != hex.EncodeToString(request[:]):
			return database.Trail{}, fault.Problems("the idempotency key was used before", []fault.Problem{{
				Path: "Idempotency-Key", Code: "idempotency_key_reused",
				Text: "This key was used for another request in the last 24 hours. Take a new key.",
			}})
		case err == nil:
			out, answered = Response{Status: row.Status, ETag: row.Etag, Body: row.Body}, true
			return database.Trail{}, nil
		case !ent.IsNotFound(err):
			return database.Trail{}, err
		}
		return database.Trail{}, tx.IdempotencyKey.Create().SetActor(who.ID).SetKey(key).
			SetRequest(hex.EncodeToString(request[:])).SetCreatedAt(now).Exec(ctx)
	})
	if err != nil {
		return Response{}, false, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return out, answered, nil
}

// Answer keeps the answer to a claimed key. A Status of 0 drops the claim, so
// that the request may be tried again.
func (k *Keys) Answer(ctx context.Context, who Owner, key string, r Response) error {
	err := k.db.Write(outOfTurn(ctx), who.Name, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		mine := idempotencykey.And(idempotencykey.Actor(who.ID), idempotencykey.Key(key), idempotencykey.Status(0))
		if r.Status == 0 {
			_, err := tx.IdempotencyKey.Delete().Where(mine).Exec(ctx)
			return database.Trail{}, err
		}
		_, err := tx.IdempotencyKey.Update().Where(mine).SetStatus(r.Status).SetEtag(r.ETag).SetBody(r.Body).Save(ctx)
		return database.Trail{}, err
	})
	if err != nil {
		return fmt.Errorf("answer an idempotency key: %w", err)
	}
	return nil
}
