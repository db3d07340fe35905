package tenants

import (
	"context"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
)

// AuditRow is one row of the audit log. Before and After are JSON, null for nothing.
type AuditRow = openapi.AuditEntry

// AuditReport is what was found in a part of a chain of the audit log.
type AuditReport = openapi.AuditReport

// Audit gives each row of the audit log that the filter lets through, the newest first, until
// each returns false.
func Audit(ctx context.Context, c *remote.Control, filter openapi.AuditParams, each func(AuditRow) (bool, error)) error {
	for filter.Limit = 500; ; {
		page, err := remote.Do(ctx, c, api{}.Audit(filter))
		if err != nil {
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
		filter.Cursor = page.Next
	}
}

// VerifyAudit looks at a whole chain of the audit log: of the installation, or of the
// organization. show hears how many rows were looked at.
func VerifyAudit(ctx context.Context, c *remote.Control, installation bool, show func(rows uint64)) (AuditReport, error) {
	params := openapi.VerifyAuditParams{}
	if installation {
		params.Scope = openapi.VerifyAuditParamsScopeInstallation
	}
	all := AuditReport{Problems: []openapi.AuditProblem{}}
	for {
		part, err := remote.Do(ctx, c, api{}.VerifyAudit(params))
		if err != nil {
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
		params.Cursor = part.Next
	}
}
