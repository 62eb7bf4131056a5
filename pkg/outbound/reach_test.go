package outbound_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/outbound"
)

func TestReach(t *testing.T) {
	usual, err := outbound.ParseReach(outbound.Private(), nil)
	require.NoError(t, err)
	narrow, err := outbound.ParseReach([]string{"10.1.0.0/16"}, []string{"10.0.0.0/8", "fd00::/8"})
	require.NoError(t, err)
	for address, c := range map[string]struct{ usual, narrow bool }{
		"127.0.0.1": {}, "::1": {}, "169.254.169.254": {}, "fe80::1%eth0": {}, "0.0.0.0": {}, "::": {}, "::ffff:169.254.169.254": {},
		"::ffff:127.0.0.1": {}, "64:ff9b::169.254.169.254": {}, "64:ff9b::127.0.0.1": {}, "fd00:ec2::254": {false, true},
		"fd20:ce::254": {false, true}, "168.63.129.16": {}, "100.100.100.200": {},
		"10.0.0.1": {true, true}, "10.1.0.1": {true, false}, "93.184.216.34": {true, false}, "2001:db8::1": {true, false},
		"fd00::1": {true, true},
	} {
		at := netip.MustParseAddr(address)
		assert.Equal(t, c.usual, usual.Check(at) == nil, address)
		assert.Equal(t, c.narrow, narrow.Check(at) == nil, address)
		assert.NoError(t, (*outbound.Reach)(nil).Check(at))
	}
	_, err = outbound.ParseReach([]string{"10.0.0.1"}, nil)
	require.EqualError(t, err, `"10.0.0.1" is no network, as in 10.0.0.0/8`)
}

// TestNoNameLeadsAround: what counts is the address that is called, whatever it is called by, and a proxy as well.
func TestNoNameLeadsAround(t *testing.T) {
	called := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	reach, err := outbound.ParseReach(outbound.Private(), nil)
	require.NoError(t, err)
	ask := func(address string, proxy *url.URL) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		require.NoError(t, err)
		res, err := outbound.NewClient(nil, proxy, reach).Do(req)
		if err == nil {
			require.NoError(t, res.Body.Close())
		}
		return err
	}
	for _, host := range []string{"localhost", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"} {
		err := ask("http://"+host+":"+port, nil)
		var refused outbound.RefusedError
		require.ErrorAs(t, err, &refused, host)
		told := outbound.Trouble(t.Context(), "the server", time.Second, err)
		require.ErrorContains(t, told, "the server cannot be reached: Weir may not call ", host)
		require.ErrorContains(t, told, "; who runs it decides that, by --refused-addresses and --allowed-addresses")
	}
	require.Error(t, ask("http://example.com", &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}))
	assert.Zero(t, called)
}
