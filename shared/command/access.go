package command

import "github.com/spf13/pflag"

// AccessFlags gives flags the paths by which a program connects to servers over
// NATS: name is the flag of their address, such as events, and whose says whose
// they are in the help. creds and nkey are nil where it is settled who the program is.
func AccessFlags(flags *pflag.FlagSet, name, whose string, ca, cert, key, creds, nkey *string) {
	flags.StringVar(ca, name+"-ca", "", "authorities in a PEM file that vouch for "+whose+", instead of the system's")
	flags.StringVar(cert, name+"-cert", "", "client certificate for "+whose+" in a PEM file")
	flags.StringVar(key, name+"-key", "", "its key in a PEM file")
	if creds != nil {
		flags.StringVar(creds, name+"-creds", "", "credentials file (.creds: a JWT and its seed) for "+whose)
		flags.StringVar(nkey, name+"-nkey", "", "file with an NKEY seed (SU...) for "+whose)
	}
}
