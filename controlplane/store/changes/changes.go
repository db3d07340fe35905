// Package changes keeps change requests: commits that a rule lets become revisions only
// after another person approved them.
//
// A request is decided once. An author has one that waits for each workspace: a new one
// takes the former's place. What was decided keeps its difference, and neither
// configuration nor sealed secrets. Every write leaves an audit row of its organization.
package changes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/changerequest"
	"weir/controlplane/store/ent/predicate"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// State is how far a request is.
type State string

// The states. All but Waiting are final.
const (
	Waiting   State = "waiting"
	Approved  State = "approved"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn" // by its author, or for a newer one of the author
)

// mostWaiting is how many requests of an organization wait at most.
const mostWaiting = 500

// Request is a commit that waits, or waited.
type Request struct {
	Organization string
	Number       uint64 // in the organization, from 1; set by Create
	Workspace    id.Workspace
	Name         string           // of the workspace
	Base         uint64           // the workspace's number that it was made on, 0 for a new workspace
	Digest       workspace.Digest // of Body
	Body         []byte           // canonical encoding of the configuration; only Get returns it
	Secrets      json.RawMessage  // sealed ones; only Get returns them

	Changes, Before, After json.RawMessage // what differs, as a commit has it
	Needs                  json.RawMessage // a JSON list of what asks for another person
	Reason                 string
	DiscardParked          bool

	Author       string // the actor, as the audit log shows it
	AuthorID     string
	AuthorPerson string // identifier of the person behind Author, empty for none
	At           time.Time

	State     State
	DecidedBy string
	DecidedAt time.Time // zero while it waits
	Note      string    // of who decided
	Revision  uint64    // what it became, 0 for none
}

// Changes is this part of an open database. It is safe for concurrent use.
type Changes struct{ db *database.DB }

// New returns the change requests of db.
func New(db *database.DB) *Changes { return &Changes{db} }

// Create keeps a request, with the next Number, and returns it. A request that waits with
// the same digest and base of the same author is returned in its place.
//
// fault.Limited: too many of the organization wait.
func (c *Changes) Create(ctx context.Context, actor string, r Request) (Request, error) {
	var out Request
	err := c.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		left := database.Trail{Organization: r.Organization}
		mine, err := tx.ChangeRequest.Query().Where(changerequest.OrganizationID(r.Organization), changerequest.State(string(Waiting)),
			changerequest.WorkspaceName(r.Name), changerequest.AuthorID(r.AuthorID), changerequest.Author(r.Author)).All(ctx)
		if err != nil {
			return left, err
		}
		number, err := c.next(ctx, tx, r.Organization)
		if err != nil {
			return left, err
		}
		for _, m := range mine {
			if m.Digest == string(r.Digest) && m.Base == r.Base {
				out = requestOf(m)
				return left, nil
			}
			if err := decide(ctx, tx, m, Withdrawn, actor, fmt.Sprintf("replaced by change %d", number), 0, c.db.Now()); err != nil {
				return left, err
			}
		}
		row, err := tx.ChangeRequest.Create().SetOrganizationID(r.Organization).SetNumber(number).SetWorkspaceID(string(r.Workspace)).SetWorkspaceName(r.Name).
			SetBase(r.Base).SetDigest(string(r.Digest)).SetBody(r.Body).SetSecrets(string(r.Secrets)).SetChanges(string(r.Changes)).SetBefore(string(r.Before)).
			SetAfter(string(r.After)).SetNeeds(string(r.Needs)).SetReason(r.Reason).SetDiscardParked(r.DiscardParked).SetAuthor(r.Author).SetAuthorID(r.AuthorID).
			SetAuthorPerson(r.AuthorPerson).SetCreatedAt(c.db.Now()).SetState(string(Waiting)).SetDecidedBy("").SetNote("").SetRevision(0).Save(ctx)
		if err != nil {
			return left, err
		}
		out = requestOf(row)
		left = trail("change.propose", out)
		left.Before, left.After = r.Before, r.After
		return left, nil
	})
	if err != nil {
		return Request{}, fmt.Errorf("propose a change of %s: %w", r.Name, err)
	}
	return out, nil
}

// next is the number of an organization's next request.
func (c *Changes) next(ctx context.Context, tx *ent.Tx, organization string) (uint64, error) {
	waiting, err := tx.ChangeRequest.Query().Where(changerequest.OrganizationID(organization), changerequest.State(string(Waiting))).Count(ctx)
	if err != nil {
		return 0, err
	}
	if waiting >= mostWaiting {
		return 0, fault.New(fault.Limited, "%d changes wait in the organization: decide some first", waiting)
	}
	last, err := tx.ChangeRequest.Query().Where(changerequest.OrganizationID(organization)).Order(ent.Desc(changerequest.FieldNumber)).
		Select(changerequest.FieldNumber).First(ctx)
	if ent.IsNotFound(err) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	return last.Number + 1, nil
}

// Filter chooses requests; empty fields choose all.
type Filter struct {
	Name  string // of the workspace
	State State
}

// List returns at most limit requests of an organization below a number (0: from the
// newest), the newest first, without Body and Secrets.
func (c *Changes) List(ctx context.Context, organization string, f Filter, below uint64, limit int) ([]Request, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Request, error) {
		where := []predicate.ChangeRequest{changerequest.OrganizationID(organization)}
		if below > 0 {
			where = append(where, changerequest.NumberLT(below))
		}
		if f.Name != "" {
			where = append(where, changerequest.WorkspaceName(f.Name))
		}
		if f.State != "" {
			where = append(where, changerequest.State(string(f.State)))
		}
		rows, err := c.db.Ent().ChangeRequest.Query().Where(where...).Order(ent.Desc(changerequest.FieldNumber)).Limit(limit).
			Select(changerequest.FieldOrganizationID, changerequest.FieldNumber, changerequest.FieldWorkspaceID, changerequest.FieldWorkspaceName, changerequest.FieldBase,
				changerequest.FieldChanges, changerequest.FieldNeeds, changerequest.FieldReason, changerequest.FieldAuthor, changerequest.FieldAuthorID,
				changerequest.FieldAuthorPerson, changerequest.FieldCreatedAt, changerequest.FieldState, changerequest.FieldDecidedBy, changerequest.FieldNote,
				changerequest.FieldDecidedAt, changerequest.FieldRevision).All(ctx)
		out := make([]Request, len(rows))
		for i, r := range rows {
			out[i] = requestOf(r)
		}
		return out, err
	})
}

// Get returns one. fault.Missing: the organization has none of this number.
func (c *Changes) Get(ctx context.Context, organization string, number uint64) (Request, error) {
	return database.Read(ctx, func(ctx context.Context) (Request, error) {
		row, err := c.db.Ent().ChangeRequest.Query().Where(changerequest.OrganizationID(organization), changerequest.Number(number)).Only(ctx)
		if err != nil {
			return Request{}, missing(err, number)
		}
		return requestOf(row), nil
	})
}

// Close rejects or withdraws a request that waits.
//
// fault.Missing: there is none of this number. fault.Conflict: it was decided already.
func (c *Changes) Close(ctx context.Context, actor, organization string, number uint64, state State, note string) error {
	err := c.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := waiting(ctx, tx, organization, number)
		if err != nil {
			return database.Trail{Organization: organization}, err
		}
		action := "change.reject"
		if state == Withdrawn {
			action = "change.withdraw"
		}
		left := trail(action, requestOf(row))
		left.After = map[string]any{"state": state, "note": note}
		return left, decide(ctx, tx, row, state, actor, note, 0, c.db.Now())
	})
	if err != nil {
		return fmt.Errorf("decide change %d: %w", number, err)
	}
	return nil
}

// Approval is what a commit does in its transaction to the request that it is made of: see
// store.Commit. It takes the revision's number.
type Approval func(ctx context.Context, tx *ent.Tx, revision uint64) error

// Approve returns the Approval of a request by actor.
//
// The Approval's fault.Conflict: it was decided meanwhile.
func (c *Changes) Approve(actor, organization string, number uint64, note string) Approval {
	return func(ctx context.Context, tx *ent.Tx, revision uint64) error {
		row, err := waiting(ctx, tx, organization, number)
		if err != nil {
			return err
		}
		return decide(ctx, tx, row, Approved, actor, note, revision, c.db.Now())
	}
}

// waiting finds a request that is not decided.
func waiting(ctx context.Context, tx *ent.Tx, organization string, number uint64) (*ent.ChangeRequest, error) {
	row, err := tx.ChangeRequest.Query().Where(changerequest.OrganizationID(organization), changerequest.Number(number)).Only(ctx)
	if err != nil {
		return nil, missing(err, number)
	}
	if row.State != string(Waiting) {
		return nil, fault.New(fault.Conflict, "change %d was %s already, by %s", number, row.State, row.DecidedBy)
	}
	return row, nil
}

func decide(ctx context.Context, tx *ent.Tx, row *ent.ChangeRequest, state State, actor, note string, revision uint64, now time.Time) error {
	return tx.ChangeRequest.UpdateOne(row).SetState(string(state)).SetDecidedBy(actor).SetNote(note).SetDecidedAt(now).SetRevision(revision).
		SetBody([]byte{}).SetSecrets("").Exec(ctx)
}

// trail is what a write leaves about a request in the audit log.
func trail(action string, r Request) database.Trail {
	return database.Trail{Action: action, Object: fmt.Sprintf("change %d", r.Number), Detail: "workspace " + r.Name + ", of " + r.Author,
		Organization: r.Organization, Workspace: string(r.Workspace)}
}

func missing(err error, number uint64) error {
	if ent.IsNotFound(err) {
		return fault.New(fault.Missing, "the organization has no change %d", number)
	}
	return err
}

func requestOf(r *ent.ChangeRequest) Request {
	out := Request{
		Organization: r.OrganizationID, Number: r.Number, Workspace: id.Workspace(r.WorkspaceID), Name: r.WorkspaceName, Base: r.Base, Digest: workspace.Digest(r.Digest),
		Body: r.Body, Secrets: json.RawMessage(r.Secrets), Changes: json.RawMessage(r.Changes), Before: json.RawMessage(r.Before), After: json.RawMessage(r.After),
		Needs: json.RawMessage(r.Needs), Reason: r.Reason, DiscardParked: r.DiscardParked, Author: r.Author, AuthorID: r.AuthorID, AuthorPerson: r.AuthorPerson,
		At: r.CreatedAt.UTC(), State: State(r.State), DecidedBy: r.DecidedBy, Note: r.Note, Revision: r.Revision,
	}
	if r.DecidedAt != nil {
		out.DecidedAt = r.DecidedAt.UTC()
	}
	return out
}
