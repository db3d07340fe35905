package record

// DecodeBody decodes what stands behind a record's checksum.
func DecodeBody(data []byte) (Record, error) { return decodeBody(format.Newest, data) }
