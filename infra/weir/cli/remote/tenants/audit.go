package tenants

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"weir/infra/weir/cli/remote"
)

// AuditRow is one row of the audit log. Before and After are JSON, null for nothing.
type AuditRow struct {
	Number       uint64          `json:"number"`
	At           time.Time       `json:"at"`
	Organization string          `json:"organization"`
	Workspace    string          `json:"workspace"`
	Actor        string          `json:"actor"`
	ActorID      string          `json:"actorId"`
	Action       string          `json:"action"`
	Object       string          `json:"object"`
	Detail       string          `json:"detail"`
	Before       json.RawMessage `json:"before"`
	After        json.RawMessage `json:"after"`
	Address      string          `json:"address"`
	Request      string          `json:"request"`
	Digest       string          `json:"digest"`
}

// AuditReport is what was found in a part of a chain of the audit log.
type AuditReport struct {
	From     uint64         `json:"from"`
	Through  uint64         `json:"through"`
	Digest   string         `json:"digest"`
	Signed   uint64         `json:"signed"`
	SignedAt *time.Time     `json:"signedAt,omitempty"`
	Problems []AuditProblem `json:"problems"`
	Next     string         `json:"next"`
}

// AuditProblem is one thing that is wrong with a chain, at the row of that number.
type AuditProblem struct {
	Number uint64 `json:"number"`
	Code   string `json:"code"`
	Text   string `json:"text"`
}

// Audit gives each row of the audit log that the filter, query parameters of the API,
// lets through, the newest first, until each returns false.
func Audit(ctx context.Context, c *remote.Control, filter url.Values, each func(AuditRow) (bool, error)) error {
	query := url.Values{"limit": {"500"}}
	for name, values := range filter {
		query[name] = values
	}
	for {
		var page struct {
			Entries []AuditRow `json:"entries"`
			Next    string     `json:"next"`
		}
		if err := c.Within(ctx, http.MethodGet, "/audit?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, r := range page.Entries {
			if more, err := each(r); err != nil || !more {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// VerifyAudit looks at a whole chain of the audit log: of the installation, or of the
// organization. show hears how many rows were looked at.
func VerifyAudit(ctx context.Context, c *remote.Control, installation bool, show func(rows uint64)) (AuditReport, error) {
	query := url.Values{}
	if installation {
		query.Set("scope", "installation")
	}
	all := AuditReport{Problems: []AuditProblem{}}
	for {
		var part AuditReport
		if err := c.Within(ctx, http.MethodGet, "/audit/verify?"+query.Encode(), nil, &part); err != nil {
			return AuditReport{}, err
		}
		if all.From == 0 {
			all.From = part.From
		}
		if part.Through > 0 {
			all.Through, all.Digest = part.Through, part.Digest
		}
		all.Signed, all.SignedAt = part.Signed, part.SignedAt
		all.Problems = append(all.Problems, part.Problems...)
		show(all.Through)
		if part.Next == "" {
			return all, nil
		}
		query.Set("cursor", part.Next)
	}
}
