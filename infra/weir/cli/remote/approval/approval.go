// Package approval is what a control plane says of a commit that needs another person.
package approval

import "weir/infra/weir/cli/remote/openapi"

// Need is why it does.
type Need = openapi.Need

// Request is the change request that the commit became, by its number.
type Request = openapi.Waits

// Of is the change request that a commit became, nil where it is a revision.
func Of(a openapi.Applied) *Request {
	if a.Waits.Change == 0 {
		return nil
	}
	return &a.Waits
}
