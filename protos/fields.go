// Prints every field and enum value of the files vendored here, as the Envoy API module of a tag has them. README.md says how to run it.
package main

import (
	"fmt"
	"sort"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	log "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	ai "github.com/envoyproxy/go-control-plane/envoy/data/ai/v3"
	mode "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	als "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	proc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	kind "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var lines []string

func enums(list protoreflect.EnumDescriptors) {
	for i := range list.Len() {
		values := list.Get(i).Values()
		for j := range values.Len() {
			lines = append(lines, fmt.Sprintf("%s %s = %d", list.Get(i).FullName(), values.Get(j).Name(), values.Get(j).Number()))
		}
	}
}

func messages(list protoreflect.MessageDescriptors) {
	for i := range list.Len() {
		message := list.Get(i)
		fields := message.Fields()
		for j := range fields.Len() {
			field := fields.Get(j)
			shape := field.Kind().String()
			if field.Message() != nil {
				shape = string(field.Message().FullName())
			}
			if field.Enum() != nil {
				shape = string(field.Enum().FullName())
			}
			line := fmt.Sprintf("%s %s = %d %s %s", message.FullName(), field.Name(), field.Number(), field.Cardinality(), shape)
			if field.ContainingOneof() != nil {
				line += " in " + string(field.ContainingOneof().Name())
			}
			lines = append(lines, line)
		}
		messages(message.Messages())
		enums(message.Enums())
	}
}

func main() {
	for _, file := range []protoreflect.FileDescriptor{
		proc.File_envoy_service_ext_proc_v3_external_processor_proto,
		mode.File_envoy_extensions_filters_http_ext_proc_v3_processing_mode_proto,
		core.File_envoy_config_core_v3_address_proto,
		core.File_envoy_config_core_v3_base_proto,
		auth.File_envoy_service_auth_v3_attribute_context_proto,
		auth.File_envoy_service_auth_v3_external_auth_proto,
		als.File_envoy_service_accesslog_v3_als_proto,
		log.File_envoy_data_accesslog_v3_accesslog_proto,
		ai.File_envoy_data_ai_v3_token_usage_proto,
		status.File_google_rpc_status_proto,
		kind.File_envoy_type_v3_http_status_proto,
	} {
		messages(file.Messages())
		enums(file.Enums())
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}
