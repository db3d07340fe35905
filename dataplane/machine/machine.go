// Package machine signs in to AWS as the machine that a plane runs on, by the role of an
// instance, a container or a Kubernetes service account, or by keys in the environment of the
// process; and to Google by the service account of an instance or of a workload of GKE. It keeps what it gets in memory, and renews it before it ends.
//
// It knows no configuration of tenants: whose destinations may use the machine's role says
// the guard. It refuses to show a driver's text, and reads no files of a person's profile.
package machine

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"weir/shared/fault"
)

// Role is the machine's role. The zero Role is ready; it is safe for concurrent use.
type Role struct {
	Metadata string // the host of Google's metadata server; "": metadata.google.internal

	mu     sync.Mutex
	keys   aws.CredentialsProvider
	asking sync.Mutex
	tokens map[string]googleToken // by scope
}

// Keys returns keys that are good now. fault.Unavailable, with a problem of code
// token_refused: the machine has no role.
func (r *Role) Keys(ctx context.Context) (accessKey, secretKey, sessionToken string, err error) {
	provider, err := r.provider(ctx)
	if err == nil {
		var k aws.Credentials
		if k, err = provider.Retrieve(ctx); err == nil {
			return k.AccessKeyID, k.SecretAccessKey, k.SessionToken, nil
		}
	}
	const text = "The machine of this data plane has no role that AWS knows, or AWS gives no keys for it."
	return "", "", "", &fault.Error{Kind: fault.Unavailable, Text: text, Problems: []fault.Problem{{Code: "token_refused", Text: text}}}
}

// provider makes the chain of ways to sign in once; it caches keys by itself.
func (r *Role) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		c, err := config.LoadDefaultConfig(context.WithoutCancel(ctx), config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
		if err != nil {
			return nil, err
		}
		r.keys = c.Credentials
	}
	return r.keys, nil
}
