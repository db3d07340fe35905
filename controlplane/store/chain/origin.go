package chain

import "context"

// Origin is what is known of the request that makes a write.
type Origin struct {
	ActorID string // identifier of the user, token or service account that calls
	Address string // the caller's
	Request string // identifier of the request
	// Organization is the one that the request is about: its writes wait for each other
	// before they begin. Empty is not known.
	Organization string
}

type originKey struct{}

// With returns a context whose writes come from o.
func With(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf is the origin of the writes of ctx, zero for the control plane's own.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin) // zero for none
	return o
}
