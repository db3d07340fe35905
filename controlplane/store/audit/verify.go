package audit

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entaudit "weir/controlplane/store/ent/audit"
	"weir/shared/fault"
)

// The codes of what Verify finds.
const (
	Changed      = "audit_changed"      // a row is not what it was when it was written
	Gap          = "audit_gap"          // rows are missing before this one
	Cut          = "audit_cut"          // rows are missing at the end
	HeadForged   = "audit_head_forged"  // the signature of the head is not this control plane's
	HeadStale    = "audit_head_stale"   // the head was not signed for hours
	HeadDiffers  = "audit_head_differs" // the row at the signed head is another one
	NotInAChain  = "audit_not_in_chain" // rows wait to be brought into their chain
	mostProblems = 100                  // of one Report
	verified     = 5000                 // rows of one Report
	oldest       = 3 * time.Hour        // of a head that is no problem
)

// Found is one thing that is wrong with a chain, at the row of that number.
type Found struct {
	Number uint64
	Code   string
	Text   string
}

// Report is what Verify found in a part of a chain. Next is the number after which to go
// on, 0 at the end; the head is looked at in the last part.
type Report struct {
	From, Through uint64 // numbers of the first and last row looked at; 0 for none
	Digest        string // of the chain up to Through
	Signed        uint64 // number of the signed head
	SignedAt      time.Time
	Next          uint64
	Problems      []Found
}

// walk is a chain as far as it was looked at.
type walk struct {
	number uint64
	digest string
	report Report
}

func (w *walk) found(number uint64, code, format string, args ...any) {
	if len(w.report.Problems) < mostProblems {
		w.report.Problems = append(w.report.Problems, Found{number, code, fmt.Sprintf(format, args...)})
	}
}

// row looks at the next row.
func (w *walk) row(e Entry) {
	if e.Number != w.number+1 {
		w.found(e.Number, Gap, "Rows %d to %d are missing.", w.number+1, e.Number-1)
	} else if chain.Digest(w.digest, e) != e.Digest {
		w.found(e.Number, Changed, "Row %d, or the one before it, is not what was written.", e.Number)
	}
	if w.report.From == 0 {
		w.report.From = e.Number
	}
	w.number, w.digest = e.Number, e.Digest // from here on, each fault is told once
	w.report.Through, w.report.Digest = e.Number, e.Digest
}

// Verify looks at at most 5,000 rows of the chain of an organization, "" for the
// installation's, after a number, 0 for from the beginning.
func (s *Signer) Verify(ctx context.Context, organization string, after uint64) (Report, error) {
	out, err := database.Read(ctx, func(ctx context.Context) (Report, error) {
		client := s.cfg.Log.db.Ent()
		w := walk{number: after, report: Report{Problems: []Found{}}}
		of := entaudit.OrganizationID(organization)
		if after > 0 {
			row, err := client.Audit.Query().Where(of, entaudit.Number(after)).Only(ctx)
			if err != nil {
				return Report{}, missing(err)
			}
			w.digest = row.Digest
		}
		rows, err := client.Audit.Query().Where(of, entaudit.NumberGT(after)).Order(ent.Asc(entaudit.FieldNumber)).Limit(verified).All(ctx)
		if err != nil {
			return Report{}, err
		}
		for _, r := range rows {
			w.row(chain.Of(r))
		}
		if len(rows) == verified {
			w.report.Next = w.number
			return w.report, nil
		}
		return w.report, s.end(ctx, client, organization, &w)
	})
	if err != nil {
		return Report{}, fmt.Errorf("verify the audit log: %w", err)
	}
	return out, nil
}

func missing(err error) error {
	if ent.IsNotFound(err) {
		return fault.New(fault.Missing, "the audit log has no row of this number")
	}
	return err
}

// end looks at how far the chain should go.
func (s *Signer) end(ctx context.Context, client *ent.Client, organization string, w *walk) error {
	waiting, err := client.Audit.Query().Where(entaudit.OrganizationID(organization), entaudit.Number(0)).Limit(1).Exist(ctx)
	if err != nil {
		return err
	}
	if waiting {
		w.found(0, NotInAChain, "Rows of a former release, or put in by hand, are not in the chain; the control plane brings them in within a minute.")
	}
	joint, err := client.AuditChain.Get(ctx, chain.Name(organization))
	if err != nil && !ent.IsNotFound(err) {
		return err
	}
	// What was written meanwhile is not missing.
	if err == nil && joint.Number > w.number {
		there, err := client.Audit.Query().Where(entaudit.OrganizationID(organization), entaudit.Number(joint.Number), entaudit.Digest(joint.Digest)).Exist(ctx)
		if err != nil {
			return err
		}
		if !there {
			w.found(joint.Number, Cut, "Rows %d to %d are missing at the end.", w.number+1, joint.Number)
		}
	}
	if err == nil && joint.Number < w.number || err != nil && w.number > 0 {
		w.found(w.number, Changed, "The end of the chain is kept as another row than its last.")
	}
	return s.compare(ctx, client, organization, w)
}

// compare compares the chain with what was signed, and with what this process remembers.
func (s *Signer) compare(ctx context.Context, client *ent.Client, organization string, w *walk) error {
	name := chain.Name(organization)
	row, err := client.AuditHead.Get(ctx, name)
	signed := head{}
	switch {
	case err == nil:
		signed = head{row.Number, row.Digest}
		w.report.Signed, w.report.SignedAt = row.Number, row.SignedAt.UTC()
		if !s.mine(name, signed, row.SignedAt, row.Signature) {
			w.found(row.Number, HeadForged, "The signature of the head is not this control plane's.")
		}
		if s.now().Sub(row.SignedAt) > oldest {
			w.found(row.Number, HeadStale, "The head was signed at %s last: no control plane runs, or signing was prevented.", row.SignedAt.UTC().Format(time.RFC3339))
		}
	case !ent.IsNotFound(err):
		return err
	}
	for _, h := range []head{signed, s.remembered(name)} {
		if h.Number == 0 {
			continue
		}
		there, err := s.there(ctx, client, organization, h)
		if err != nil {
			return err
		}
		switch {
		case there:
		case h.Number > w.number:
			w.found(h.Number, Cut, "Rows %d to %d were signed and are missing at the end.", w.number+1, h.Number)
		default:
			w.found(h.Number, HeadDiffers, "Row %d is not the one that was signed.", h.Number)
		}
	}
	return nil
}

// there reports whether the row at h is the one that it was.
func (s *Signer) there(ctx context.Context, client *ent.Client, organization string, h head) (bool, error) {
	return client.Audit.Query().Where(entaudit.OrganizationID(organization), entaudit.Number(h.Number), entaudit.Digest(h.Digest)).Exist(ctx)
}
