package image

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Bill is the bill of materials of a Go binary, in CycloneDX's JSON: the Go that it was built by and every module in it, by
// what the binary says of itself. The same binary gives the same bill.
func Bill(binary string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading what is in %s: %w", binary, err)
	}
	bill := cdx.NewBOM()
	main := component(&info.Main)
	main.Type = cdx.ComponentTypeApplication
	bill.Metadata = &cdx.Metadata{Component: &main}
	parts := []cdx.Component{component(&debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")})}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		parts = append(parts, component(module))
	}
	bill.Components = &parts
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill); err != nil {
		return nil, fmt.Errorf("writing what is in %s: %w", binary, err)
	}
	return out.Bytes(), nil
}

func component(m *debug.Module) cdx.Component {
	named := "pkg:golang/" + m.Path + "@" + url.PathEscape(m.Version)
	return cdx.Component{
		Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: named, BOMRef: named,
	}
}
