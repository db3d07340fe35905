// Package refusal gives errors of NATS servers and their client the kinds that the
// contract of a log names.
package refusal

import (
	"context"
	"errors"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
)

// Codes of the server's API errors.
// Source: nats-server v2.15.2, server/jetstream_errors_generated.go.
const (
	codeWrongLast   = 10071
	codeNotLast     = 10164 // the same from a stream with replicas, while an append before is under way
	codeStoreFailed = 10077 // its text says why
	codeResources   = 10023 // the account's or the server's storage is used up
	codeStorage     = 10047
	codeTooLarge    = 10054
	StreamAbsent    = 10059
)

// Full reports whether a log took no more because of its own limit.
func Full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeStoreFailed && (api.Description == server.ErrMaxBytes.Error() || api.Description == server.ErrMaxMsgs.Error())
}

// Of gives an error of the client or the server its kind: Unavailable for
// all that is not known to be another one.
func Of(err error) error {
	var api *jetstream.APIError
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if !errors.As(err, &api) {
		if errors.Is(err, nats.ErrMaxPayload) {
			return fault.New(fault.Invalid, "The record is larger than the log takes.")
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
			return fault.New(fault.Unavailable, "The event log did not answer in time.")
		}
		return fault.New(fault.Unavailable, "The event log is away: %v.", err)
	}
	switch api.ErrorCode {
	case codeWrongLast, codeNotLast:
		return fault.New(fault.Conflict, "Another record was appended before.")
	case codeStoreFailed:
		if Full(err) {
			return fault.New(fault.Limited, "The event log is full.")
		}
		return fault.New(fault.Unavailable, "The event log could not store the record: %s.", api.Description)
	case codeResources, codeStorage:
		return fault.New(fault.Limited, "The event log's server has no storage left.")
	case codeTooLarge:
		return fault.New(fault.Invalid, "The record is larger than the log takes.")
	default:
		return fault.New(fault.Unavailable, "The event log refused: %s (%d).", api.Description, api.ErrorCode)
	}
}
