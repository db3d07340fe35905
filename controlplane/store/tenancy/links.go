package tenancy

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entgrant "weir/controlplane/store/ent/grant"
	"weir/controlplane/store/ent/memberlink"
	"weir/controlplane/store/ent/session"
	"weir/controlplane/store/ent/user"
	"weir/shared/fault"
	"weir/shared/id"
)

// Link lets whoever holds its token do one thing once until it expires. An invitation
// gives Grant, without a subject, to the person with the address Email. A reset lets the
// user Grant.Subject choose a new password.
type Link struct {
	Hash      [32]byte // of its token
	Grant     Grant
	Email     string
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time
}

// ID names a link to those who may take it back; nobody uses it by that.
func (l Link) ID() string { return hex.EncodeToString(l.Hash[:]) }

// what names the link's kind in the audit.
func (l Link) what() string {
	if l.Grant.Subject != "" {
		return "password"
	}
	return "invitation"
}

// errLink never says what is wrong with a link.
var errLink = fault.New(fault.Missing, "the link was used, has expired or was taken back: ask for another one")

// CreateLink keeps l, of which CreatedAt and CreatedBy are set here, and forgets links that
// have expired.
func (t *Tenancy) CreateLink(ctx context.Context, actor string, l Link) error {
	l.Email = strings.ToLower(l.Email)
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		now := t.db.Now()
		if _, err := tx.MemberLink.Delete().Where(memberlink.ExpiresAtLTE(now)).Exec(ctx); err != nil {
			return database.Trail{}, err
		}
		err := tx.MemberLink.Create().SetID(l.ID()).SetOrganizationID(string(l.Grant.Organization)).SetWorkspaceID(string(l.Grant.Workspace)).
			SetRole(l.Grant.Role).SetUserID(l.Grant.Subject).SetEmail(l.Email).SetCreatedAt(now).SetCreatedBy(actor).
			SetExpiresAt(database.Stored(l.ExpiresAt)).SetUsedBy("").Exec(ctx)
		detail := "role " + l.Grant.Role + " in " + l.Grant.place()
		if l.Grant.Subject != "" {
			detail = "member " + l.Grant.Subject
		}
		return database.Trail{Action: l.what() + ".create", Object: "link " + l.ID(), Detail: detail, Organization: string(l.Grant.Organization),
			Workspace: string(l.Grant.Workspace), After: map[string]any{"email": l.Email, "role": l.Grant.Role, "expiresAt": l.ExpiresAt}}, err
	})
	return wrap(err, "make a link")
}

// Link returns a link that is good. fault.Missing: it is not.
func (t *Tenancy) Link(ctx context.Context, hash [32]byte) (Link, error) {
	return database.Read(ctx, func(ctx context.Context) (Link, error) {
		row, err := t.db.Ent().MemberLink.Get(ctx, Link{Hash: hash}.ID())
		return t.good(row, err)
	})
}

func (t *Tenancy) good(row *ent.MemberLink, err error) (Link, error) {
	if ent.IsNotFound(err) || err == nil && (row.UsedBy != "" || !t.db.Now().Before(row.ExpiresAt)) {
		return Link{}, errLink
	}
	if err != nil {
		return Link{}, err
	}
	return linkOf(row), nil
}

// Invitations returns those of an organization that are good, the newest first.
func (t *Tenancy) Invitations(ctx context.Context, org OrganizationID) ([]Link, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Link, error) {
		rows, err := t.db.Ent().MemberLink.Query().Where(memberlink.OrganizationID(string(org)), memberlink.UserID(""), memberlink.UsedBy(""),
			memberlink.ExpiresAtGT(t.db.Now())).Order(ent.Desc(memberlink.FieldCreatedAt)).All(ctx)
		out := make([]Link, len(rows))
		for i, r := range rows {
			out[i] = linkOf(r)
		}
		return out, err
	})
}

// DeleteInvitation takes an invitation back. fault.Missing: there is none.
func (t *Tenancy) DeleteInvitation(ctx context.Context, actor string, org OrganizationID, link string) error {
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		n, err := tx.MemberLink.Delete().Where(memberlink.ID(link), memberlink.OrganizationID(string(org)), memberlink.UserID(""), memberlink.UsedBy("")).Exec(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Missing, "there is no such invitation")
		}
		return database.Trail{Action: "invitation.delete", Object: "link " + link, Organization: string(org)}, err
	})
	return wrap(err, "take an invitation back")
}

// Accept uses an invitation: it gives its role to the user of its address, who is made
// with passwordHash when there is none or it has no password yet, and returns the user's
// identifier. An empty passwordHash is for a user that is known to have one.
//
// fault.Missing: the link is not good. fault.Conflict: the user has a role there already.
func (t *Tenancy) Accept(ctx context.Context, hash [32]byte, passwordHash string) (string, error) {
	var who string
	err := t.db.Write(ctx, "link:invitation", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.MemberLink.Get(ctx, Link{Hash: hash}.ID())
		l, err := t.good(row, err)
		if err != nil || l.Grant.Subject != "" {
			return database.Trail{}, orLink(err)
		}
		known, err := tx.User.Query().Where(user.Email(l.Email)).Only(ctx)
		switch {
		case ent.IsNotFound(err) && passwordHash != "":
			known, err = tx.User.Create().SetID(newID(personPrefix)).SetEmail(l.Email).SetPasswordHash(passwordHash).SetRole("viewer").SetCreatedAt(t.db.Now()).Save(ctx)
		case err == nil && passwordHash != "" && known.PasswordHash == "": // made by an identity provider
			err = tx.User.UpdateOne(known).SetPasswordHash(passwordHash).Exec(ctx)
		case err == nil && passwordHash != "":
			return database.Trail{}, fault.New(fault.Conflict, "the account was made meanwhile: accept again with its password")
		}
		if err != nil {
			return database.Trail{}, err
		}
		who = known.ID
		there, err := tx.Grant.Query().Where(entgrant.SubjectID(who), entgrant.OrganizationID(string(l.Grant.Organization)),
			entgrant.WorkspaceID(string(l.Grant.Workspace)), entgrant.ObjectID("")).Exist(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		if there {
			return database.Trail{}, fault.New(fault.Conflict, "you have a role there already")
		}
		l.Grant.Subject = who
		if err := Give(ctx, tx, l.Grant, l.CreatedBy, t.db.Now()); err != nil {
			return database.Trail{}, err
		}
		return database.Trail{Action: "invitation.accept", Object: "member " + who, Detail: "role " + l.Grant.Role + " in " + l.Grant.place(), Organization: string(l.Grant.Organization),
				Workspace: string(l.Grant.Workspace), After: map[string]any{"role": l.Grant.Role}},
			tx.MemberLink.UpdateOne(row).SetUsedBy(who).Exec(ctx)
	})
	return who, wrap(err, "accept an invitation")
}

func orLink(err error) error {
	if err == nil {
		return errLink
	}
	return err
}

// Reset uses a link for a new password, and ends every session of the user.
// fault.Missing: the link is not good.
func (t *Tenancy) Reset(ctx context.Context, hash [32]byte, passwordHash string) error {
	err := t.db.Write(ctx, "link:password", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.MemberLink.Get(ctx, Link{Hash: hash}.ID())
		l, err := t.good(row, err)
		if err != nil || l.Grant.Subject == "" {
			return database.Trail{}, orLink(err)
		}
		who := l.Grant.Subject
		n, err := tx.User.Update().Where(user.ID(who)).SetPasswordHash(passwordHash).Save(ctx)
		if err == nil && n == 0 {
			err = errLink
		}
		if err != nil {
			return database.Trail{}, err
		}
		if _, err := tx.Session.Delete().Where(session.UserID(who)).Exec(ctx); err != nil {
			return database.Trail{}, err
		}
		return database.Trail{Action: "user.password", Object: "user " + who, Detail: "by a link of " + l.CreatedBy}, tx.MemberLink.UpdateOne(row).SetUsedBy(who).Exec(ctx)
	})
	return wrap(err, "choose a new password")
}

func linkOf(r *ent.MemberLink) Link {
	l := Link{
		Grant: Grant{Subject: r.UserID, Organization: OrganizationID(r.OrganizationID), Workspace: id.Workspace(r.WorkspaceID), Role: r.Role},
		Email: r.Email, CreatedAt: r.CreatedAt.UTC(), CreatedBy: r.CreatedBy, ExpiresAt: r.ExpiresAt.UTC(),
	}
	_, _ = hex.Decode(l.Hash[:], []byte(r.ID)) // written by ID
	return l
}
