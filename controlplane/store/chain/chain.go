// Package chain joins the rows of the audit log: each organization, and the installation
// for what is about no organization, has a chain of its own.
//
// It guarantees that a row's digest is over the row and over the digest before it, so that
// a row that is changed, taken out or put in between breaks the chain from there on; and
// that rows join a chain in the transaction of the write that they tell of. Writes of one
// organization join one after the other; those of different organizations do not wait for
// each other. That rows are missing at the end of a chain is not seen here: see
// audit.Signer.
package chain

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"entgo.io/ent/dialect"

	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/auditchain"
)

// Entry is one row of the audit log.
type Entry struct {
	Seq          uint64 // grows with time; the cursor
	Organization string // identifier, empty for none in particular
	Workspace    string // identifier, empty for none in particular
	At           time.Time
	Actor        string // "kind:name"
	ActorID      string // identifier of the user, token or service account, empty for none
	Action       string // "workspace.commit"
	Object       string // "workspace ws_..."
	Detail       string // numbers and codes; never a secret
	// Before and After are JSON objects of what differs, empty for nothing. Secrets are
	// fingerprints there.
	Before, After string
	Address       string // the caller's, empty for the control plane's own acts
	Request       string // identifier of the request, empty for none

	Number uint64 // place in the chain, from 1; 0 is not in it yet
	Digest string // of the chain up to here, in hex
}

// format is the first thing that a digest is over.
const format = "weir audit 1"

// Digest is the SHA-256, in hex, over format, the digest before e, the number of e as 8
// bytes, and its other texts in the order of the fields of Entry, each behind its length
// as 8 bytes, the most significant first. Times are RFC 3339 in UTC with the digits of
// their fraction that are not zero at the end.
func Digest(before string, e Entry) string {
	h := sha256.New()
	var length [8]byte
	number := binary.BigEndian.AppendUint64(nil, e.Number)
	for _, part := range []string{
		format, before, string(number), e.Organization, e.Workspace, e.At.UTC().Format(time.RFC3339Nano), e.Actor, e.ActorID,
		e.Action, e.Object, e.Detail, e.Before, e.After, e.Address, e.Request,
	} {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// installation is the name of the chain of what is about no organization.
const installation = "installation"

// Name is what the chain of an organization, empty for none, is called in the database.
func Name(organization string) string {
	if organization == "" {
		return installation
	}
	return organization
}

// Lock waits until nobody else's transaction joins the chain of an organization. On
// Postgres it has to be the first statement of a transaction: those that waited see what
// was written meanwhile as a lost race, before they did any work. On SQLite, where one
// transaction writes at a time, it does nothing.
func Lock(ctx context.Context, tx *ent.Tx, dialectName, organization string) error {
	if dialectName != dialect.Postgres {
		return nil
	}
	_, err := tx.AuditChain.Query().Where(auditchain.ID(Name(organization))).ForUpdate().Only(ctx)
	if ent.IsNotFound(err) {
		return nil // the first row makes it
	}
	return err
}

// Next gives e its place at the end of its chain.
func Next(ctx context.Context, tx *ent.Tx, e Entry) (Entry, error) {
	head, err := tx.AuditChain.Get(ctx, Name(e.Organization))
	switch {
	case ent.IsNotFound(err):
		e.Number = 1
		e.Digest = Digest("", e)
		return e, tx.AuditChain.Create().SetID(Name(e.Organization)).SetNumber(e.Number).SetDigest(e.Digest).Exec(ctx)
	case err != nil:
		return Entry{}, err
	}
	e.Number = head.Number + 1
	e.Digest = Digest(head.Digest, e)
	return e, tx.AuditChain.UpdateOne(head).SetNumber(e.Number).SetDigest(e.Digest).Exec(ctx)
}

// Append adds e to the log and to its chain. Seq, Number and Digest are set here.
func Append(ctx context.Context, tx *ent.Tx, e Entry) error {
	e, err := Next(ctx, tx, e)
	if err != nil {
		return err
	}
	return tx.Audit.Create().SetOrganizationID(e.Organization).SetWorkspaceID(e.Workspace).SetAt(e.At).
		SetActor(e.Actor).SetActorID(e.ActorID).SetAction(e.Action).SetObject(e.Object).SetDetail(e.Detail).
		SetBefore(e.Before).SetAfter(e.After).SetAddress(e.Address).SetRequestID(e.Request).
		SetNumber(e.Number).SetDigest(e.Digest).Exec(ctx)
}

// Of is row as an Entry.
func Of(r *ent.Audit) Entry {
	return Entry{
		Seq: r.ID, Organization: r.OrganizationID, Workspace: r.WorkspaceID, At: r.At.UTC(), Actor: r.Actor, ActorID: r.ActorID,
		Action: r.Action, Object: r.Object, Detail: r.Detail, Before: r.Before, After: r.After, Address: r.Address, Request: r.RequestID,
		Number: r.Number, Digest: r.Digest,
	}
}
