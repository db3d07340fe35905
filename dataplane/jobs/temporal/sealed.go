package temporal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"weir/shared/fault"
)

// encoding is what the metadata of a sealed payload say.
const encoding = "binary/aes-256-gcm"

// codec seals payloads with AES-256-GCM: a nonce of 12 bytes, then the payload.
type codec struct{ aead cipher.AEAD }

// newCodec returns a codec of a key of 32 bytes.
func newCodec(key []byte) (codec, error) {
	if len(key) != 32 {
		return codec{}, fault.New(fault.Internal, "The key of histories has %d bytes, not 32.", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return codec{}, fmt.Errorf("key of histories: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return codec{aead}, err
}

// Encode implements converter.PayloadCodec.
func (c codec) Encode(all []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(all))
	for i, p := range all {
		clear, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("seal a payload: %w", err)
		}
		nonce := make([]byte, c.aead.NonceSize())
		_, _ = rand.Read(nonce) // it does not fail
		sealed[i] = &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding)}, Data: c.aead.Seal(nonce, nonce, clear, []byte(encoding))}
	}
	return sealed, nil
}

// Decode implements converter.PayloadCodec. fault.Invalid: a payload is not sealed, or by
// another key.
func (c codec) Decode(all []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(all))
	for i, p := range all {
		n := c.aead.NonceSize()
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encoding || len(p.GetData()) < n {
			return nil, fault.New(fault.Invalid, "A payload of a history is not sealed.")
		}
		clear, err := c.aead.Open(nil, p.Data[:n], p.Data[n:], []byte(encoding))
		if err != nil {
			return nil, fault.New(fault.Invalid, "A payload of a history is sealed by another key.")
		}
		opened[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(clear, opened[i]); err != nil {
			return nil, fault.New(fault.Invalid, "A payload of a history is unreadable.")
		}
	}
	return opened, nil
}

// codes keeps of failures their types alone, those of a closed list: texts, details and
// stacks hold what warehouses and vendors say.
type codes struct {
	converter.FailureConverter
	data converter.DataConverter
}

func newCodes(data converter.DataConverter) codes {
	return codes{temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: data, EncodeCommonAttributes: true}), data}
}

// ErrorToFailure implements converter.FailureConverter.
func (c codes) ErrorToFailure(err error) *failurepb.Failure {
	f := c.FailureConverter.ErrorToFailure(err)
	for at := f; at != nil; at = at.GetCause() {
		at.Message, at.StackTrace, at.EncodedAttributes = fault.Internal.String(), "", nil
		if a := at.GetApplicationFailureInfo(); a != nil {
			if _, known := kinds[a.Type]; !known && a.Type != elsewhere {
				a.Type = fault.Internal.String()
			}
			at.Message, a.Details = a.Type, nil
		}
		if a := at.GetCanceledFailureInfo(); a != nil {
			a.Details = nil
		}
		if a := at.GetTimeoutFailureInfo(); a != nil {
			a.LastHeartbeatDetails = nil
		}
		if err := converter.EncodeCommonFailureAttributes(c.data, at); err != nil {
			at.Message = ""
		}
	}
	return f
}
