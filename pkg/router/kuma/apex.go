package kuma

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// portOf is the port of the apex Service that traffic comes in by, where it is there.
func portOf(app router.App, apex *unstructured.Unstructured) (object, bool) {
	if apex == nil {
		return nil, false
	}
	spec, _ := apex.Object["spec"].(object)
	for _, port := range router.Objects(spec["ports"]) {
		if port["port"] == int64(app.Canary.Spec.Service.Port) {
			return port, true
		}
	}
	return nil, false
}

// section is what a MeshService calls that port: by its name, or by its number where it has none. Where there is no
// Service yet, it is the one that Weir makes.
func section(app router.App, apex *unstructured.Unstructured) string {
	name := app.Canary.Spec.Service.PortName
	if port, ok := portOf(app, apex); ok {
		name, _ = port["name"].(string)
	}
	if name == "" {
		return strconv.Itoa(int(app.Canary.Spec.Service.Port))
	}
	return name
}

// speaksHTTP refuses a port of which nothing says that it speaks HTTP: Kuma passes its connections on and takes no
// notice of routes. It also knows an annotation; but that one is not on the Services of primary and canary.
func speaksHTTP(app router.App, apex *unstructured.Unstructured) error {
	s := &app.Canary.Spec.Service
	protocol, where := "", "spec.service.appProtocol"
	if s.AppProtocol != nil {
		protocol = *s.AppProtocol
	}
	if port, ok := portOf(app, apex); ok {
		protocol, _ = port["appProtocol"].(string)
		where = fmt.Sprintf("appProtocol of port %d of Service %s/%s", s.Port, apex.GetNamespace(), apex.GetName())
	}
	if !isHTTP(protocol) {
		return fmt.Errorf("%s is %q, and Kuma takes a port for TCP, of which it shares out no requests, unless it is http, http2 "+
			"or grpc; set it to one of these", where, protocol)
	}
	return nil
}

func isHTTP(protocol string) bool {
	switch strings.ToLower(protocol) {
	case "http", "http2", "grpc":
		return true
	}
	return false
}
