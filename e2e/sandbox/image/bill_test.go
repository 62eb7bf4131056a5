package image_test

import (
	"bytes"
	"path/filepath"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox/image"
)

// TestBill reads the bill of a program of this tree.
func TestBill(t *testing.T) {
	own := filepath.Join(t.TempDir(), "image")
	require.NoError(t, image.Compile(t.Context(), "../../..", "./e2e/sandbox/cmd/image", own))
	bill, err := image.Bill(own)
	require.NoError(t, err)
	again, err := image.Bill(own)
	require.NoError(t, err)
	assert.Equal(t, bill, again)
	var read cdx.BOM
	require.NoError(t, cdx.NewBOMDecoder(bytes.NewReader(bill), cdx.BOMFileFormatJSON).Decode(&read))
	assert.Equal(t, "weir.dev/weir", read.Metadata.Component.Name)
	found := map[string]string{}
	for _, c := range *read.Components {
		found[c.Name] = c.PackageURL
	}
	assert.Contains(t, found["github.com/google/go-containerregistry"], "pkg:golang/github.com/google/go-containerregistry@v0.")
	assert.Contains(t, found["std"], "pkg:golang/std@1.")
	_, err = image.Bill("bill_test.go")
	require.ErrorContains(t, err, "reading what is in bill_test.go")
}
