/** The official SDKs, but C++: each language's way to set a parameter, and the program around it. */

import { doubleQuoted, singleQuoted, variable } from "./quoting.js";

/** @typedef {import("./samples.js").Call} Call */

const upperFirst = (text) => text[0].toUpperCase() + text.slice(1);
const packageVersion = (call) => `v${call.version.replaceAll("-", "")}`;
export const hasImage = (call) => call.values.some(({ kind }) => kind === "image");
const ID = "TENCENTCLOUD_SECRET_ID";
const KEY = "TENCENTCLOUD_SECRET_KEY";
const TOKEN = "TENCENTCLOUD_TOKEN";

/** The names of the environment's variables that hold the credential. */
export const variables = (call) => (call.temporary ? [ID, KEY, TOKEN] : [ID, KEY]);

/**
 * How a language puts a parameter into a request.
 * @typedef {object} Dialect
 * @property {(name: string, model: string) => string} create
 * @property {(target: string, name: string, literal: string) => string} set
 * @property {(name: string) => string} [reference] where a variable is not named by its bare name
 * @property {(value: import("./values.js").Value) => string} literal
 */

/**
 * One line a parameter; an object is made first and then put in its place.
 * @param {import("./values.js").Value[]} values
 * @param {Dialect} dialect
 */
export function assignments(values, dialect, target = "request") {
  return values.flatMap((value) => {
    if (value.kind !== "object") return [dialect.set(target, value.name, dialect.literal(value))];
    const inner = variable(value.name);
    return [
      dialect.create(inner, value.name),
      ...assignments(value.value, dialect, inner),
      dialect.set(target, value.name, dialect.reference?.(inner) ?? inner),
    ];
  });
}

const ANY_REGION = "ap-guangzhou";

/** The region, or an SDK's value for none: some would send an empty text as an empty header. */
const regionOr = (none, { region }) => (region ? doubleQuoted(region) : none);

export const lines = (...parts) => parts.flat(Infinity).filter((part) => part !== null && part !== false).join("\n");
const indented = (text, by) => text.map((line) => (line ? by + line : line));

/** @type {Dialect} */
const python = {
  create: (name, model) => `${name} = models.${model}()`,
  set: (target, name, literal) => `${target}.${name} = ${literal}`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `base64.b64encode(open(${doubleQuoted(file)}, "rb").read()).decode()`
      : kind === "list" ? `[${value.map((item) => doubleQuoted(item)).join(", ")}]`
        : kind === "boolean" ? (value ? "True" : "False")
          : kind === "null" ? "None"
            : kind === "string" ? doubleQuoted(value) : String(value),
};

/** @type {Dialect} */
const java = {
  create: (name, model) => `${model} ${name} = new ${model}();`,
  set: (target, name, literal) => `${target}.set${name}(${literal});`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `Base64.getEncoder().encodeToString(Files.readAllBytes(Paths.get(${doubleQuoted(file)})))`
      : kind === "list" ? `new String[] {${value.map((item) => doubleQuoted(item)).join(", ")}}`
        : kind === "integer" ? `${value}L`
          : kind === "number" ? `${value}f`
            : kind === "string" ? doubleQuoted(value) : String(value),
};

const GO_POINTERS = { boolean: "BoolPtr", integer: "Int64Ptr", number: "Float64Ptr", string: "StringPtr" };
/** @type {Dialect} */
const go = {
  create: (name, model) => `${name} := &faceid.${model}{}`,
  set: (target, name, literal) => `${target}.${name} = ${literal}`,
  literal: ({ name, kind, value }) =>
    kind === "image" ? `common.StringPtr(base64.StdEncoding.EncodeToString(${variable(name)}))`
      : kind === "list" ? `common.StringPtrs([]string{${value.map((item) => doubleQuoted(item)).join(", ")}})`
        : kind === "null" ? "nil"
          : `common.${GO_POINTERS[kind]}(${kind === "string" ? doubleQuoted(value) : value})`,
};

/** @type {Dialect} */
const php = {
  create: (name, model) => `$${name} = new ${model}();`,
  set: (target, name, literal) => `$${target}->set${name}(${literal});`,
  reference: (name) => `$${name}`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `base64_encode(file_get_contents(${singleQuoted(file)}))`
      : kind === "list" ? `[${value.map((item) => singleQuoted(item)).join(", ")}]`
        : kind === "string" ? singleQuoted(value) : String(value),
};

/** @type {Dialect} */
const csharp = {
  create: (name, model) => `var ${name} = new ${model}();`,
  set: (target, name, literal) => `${target}.${name} = ${literal};`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `Convert.ToBase64String(File.ReadAllBytes(${doubleQuoted(file)}))`
      : kind === "list" ? `new string[] { ${value.map((item) => doubleQuoted(item)).join(", ")} }`
        : kind === "number" ? `${value}f`
          : kind === "string" ? doubleQuoted(value) : String(value),
};

/** @type {Dialect} */
const ruby = {
  create: (name, model) => `${name} = Models::${model}.new`,
  set: (target, name, literal) => `${target}.${name} = ${literal}`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `[File.binread(${singleQuoted(file)})].pack('m0')`
      : kind === "list" ? `[${value.map((item) => singleQuoted(item)).join(", ")}]`
        : kind === "null" ? "nil"
          : kind === "string" ? singleQuoted(value) : String(value),
};

export function pythonSample(call) {
  const { action, service } = call;
  return lines(
    hasImage(call) && "import base64",
    "import os",
    "",
    "from tencentcloud.common.credential import Credential",
    "from tencentcloud.common.profile.client_profile import ClientProfile",
    "from tencentcloud.common.profile.http_profile import HttpProfile",
    `from tencentcloud.${service}.${packageVersion(call)} import ${service}_client, models`,
    "",
    "credential = Credential(",
    variables(call).map((name) => `    os.environ["${name}"],`),
    ")",
    `http = HttpProfile(protocol="${call.scheme}", endpoint=${doubleQuoted(call.host)})`,
    `profile = ClientProfile(httpProfile=http)`,
    `client = ${service}_client.${upperFirst(service)}Client(credential, "${call.region}", profile)`,
    "",
    `request = models.${action}Request()`,
    assignments(call.values, python),
    "",
    `reply = client.${action}(request)`,
    "print(reply.to_json_string())",
  );
}

export function javaSample(call) {
  const { action, service } = call;
  const client = `${upperFirst(service)}Client`;
  const home = `com.tencentcloudapi.${service}.${packageVersion(call)}`;
  const models = call.values.filter(({ kind }) => kind === "object").map(({ name }) => name);
  return lines(
    hasImage(call) && ["import java.nio.file.Files;", "import java.nio.file.Paths;", "import java.util.Base64;", ""],
    "import com.tencentcloudapi.common.Credential;",
    "import com.tencentcloudapi.common.profile.ClientProfile;",
    "import com.tencentcloudapi.common.profile.HttpProfile;",
    `import ${home}.${client};`,
    [...models, `${action}Request`, `${action}Response`].map((name) => `import ${home}.models.${name};`),
    "",
    "public class Main {",
    "    public static void main(String[] args) throws Exception {",
    indented([
      "Credential credential = new Credential(",
      variables(call).map((name) => `    System.getenv("${name}")`).join(",\n        ") + ");",
      "",
      "HttpProfile http = new HttpProfile();",
      `http.setProtocol("${call.scheme}://");`,
      `http.setEndpoint(${doubleQuoted(call.host)});`,
      "ClientProfile profile = new ClientProfile();",
      "profile.setHttpProfile(http);",
      `${client} client = new ${client}(credential, ${regionOr("null", call)}, profile);`,
      "",
      `${action}Request request = new ${action}Request();`,
      ...assignments(call.values, java),
      "",
      `${action}Response reply = client.${action}(request);`,
      `System.out.println(${action}Response.toJsonString(reply));`,
    ], "        "),
    "    }",
    "}",
  );
}

export function goSample(call) {
  const { action, service } = call;
  const sdk = "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud";
  const images = call.values.filter(({ kind }) => kind === "image");
  const check = ["if err != nil {", "\tpanic(err)", "}"];
  return lines(
    "package main",
    "",
    "import (",
    images.length > 0 && '\t"encoding/base64"',
    '\t"fmt"',
    '\t"os"',
    "",
    `\t"${sdk}/common"`,
    `\t"${sdk}/common/profile"`,
    `\t${service} "${sdk}/${service}/${packageVersion(call)}"`,
    ")",
    "",
    "func main() {",
    indented([
      `credential := common.${call.temporary ? "NewTokenCredential" : "NewCredential"}(`,
      ...variables(call).map((name) => `\tos.Getenv("${name}"),`),
      ")",
      "settings := profile.NewClientProfile()",
      `settings.HttpProfile.Scheme = "${call.scheme.toUpperCase()}"`,
      `settings.HttpProfile.Endpoint = ${doubleQuoted(call.host)}`,
      `client, err := ${service}.NewClient(credential, "${call.region}", settings)`,
      ...check,
      "",
      ...images.flatMap(({ name, file }) =>
        [`${variable(name)}, err := os.ReadFile(${doubleQuoted(file)})`, ...check, ""]),
      `request := ${service}.New${action}Request()`,
      ...assignments(call.values, go),
      "",
      `reply, err := client.${action}(request)`,
      ...check,
      "fmt.Println(reply.ToJsonString())",
    ], "\t"),
    "}",
  );
}

export function nodeSample(call) {
  const { action, service } = call;
  const names = ["secretId", "secretKey", "token"];
  const literal = ({ kind, value, file }) =>
    kind === "image" ? `fs.readFileSync(${doubleQuoted(file)}).toString("base64")`
      : kind === "object" ? `{ ${value.map((field) => `${field.name}: ${literal(field)}`).join(", ")} }`
        : kind === "list" ? `[${value.map((item) => doubleQuoted(item)).join(", ")}]`
          : kind === "string" ? doubleQuoted(value) : String(value);
  return lines(
    hasImage(call) && 'const fs = require("node:fs");',
    `const { ${service} } = require("tencentcloud-sdk-nodejs");`,
    "",
    `const client = new ${service}.${packageVersion(call)}.Client({`,
    "  credential: {",
    variables(call).map((name, index) => `    ${names[index]}: process.env.${name},`),
    "  },",
    `  region: "${call.region}",`,
    `  profile: { httpProfile: { protocol: "${call.scheme}://", endpoint: ${doubleQuoted(call.host)} } },`,
    "});",
    "",
    "const request = {",
    call.values.map((value) => `  ${value.name}: ${literal(value)},`),
    "};",
    `client.${action}(request).then(`,
    "  (reply) => console.log(JSON.stringify(reply)),",
    "  (error) => {",
    "    console.error(error.code, error.message, error.requestId);",
    "    process.exitCode = 1;",
    "  },",
    ");",
  );
}

export function phpSample(call) {
  const { action, service } = call;
  const home = `TencentCloud\\${upperFirst(service)}\\${upperFirst(packageVersion(call))}`;
  const models = call.values.filter(({ kind }) => kind === "object").map(({ name }) => name);
  return lines(
    "<?php",
    'require "vendor/autoload.php";',
    "",
    "use TencentCloud\\Common\\Credential;",
    "use TencentCloud\\Common\\Profile\\ClientProfile;",
    "use TencentCloud\\Common\\Profile\\HttpProfile;",
    `use ${home}\\${upperFirst(service)}Client;`,
    [...models, `${action}Request`].map((name) => `use ${home}\\Models\\${name};`),
    "",
    `$credential = new Credential(${variables(call).map((name) => `getenv("${name}")`).join(", ")});`,
    "$http = new HttpProfile();",
    `$http->setProtocol("${call.scheme}://");`,
    `$http->setEndpoint(${singleQuoted(call.host)});`,
    "$profile = new ClientProfile();",
    "$profile->setHttpProfile($http);",
    `$client = new ${upperFirst(service)}Client($credential, "${call.region}", $profile);`,
    "",
    `$request = new ${action}Request();`,
    assignments(call.values, php),
    "",
    `$reply = $client->${action}($request);`,
    "echo $reply->toJsonString(), PHP_EOL;",
  );
}

export function csharpSample(call) {
  const { action, service } = call;
  const names = ["SecretId", "SecretKey", "Token"];
  const home = `TencentCloud.${upperFirst(service)}.${upperFirst(packageVersion(call))}`;
  return lines(
    "using System;",
    hasImage(call) && "using System.IO;",
    "using TencentCloud.Common;",
    "using TencentCloud.Common.Profile;",
    `using ${home};`,
    `using ${home}.Models;`,
    "",
    "var credential = new Credential",
    "{",
    variables(call).map((name, index) => `    ${names[index]} = Environment.GetEnvironmentVariable("${name}"),`),
    "};",
    `var http = new HttpProfile { Protocol = "${call.scheme}://", Endpoint = ${doubleQuoted(call.host)} };`,
    "var profile = new ClientProfile { HttpProfile = http };",
    !call.region && "// This SDK sends an empty region in place of none, which is refused; any region will do here.",
    `var client = new ${upperFirst(service)}Client(credential, ${regionOr(doubleQuoted(ANY_REGION), call)}, profile);`,
    "",
    `var request = new ${action}Request();`,
    assignments(call.values, csharp),
    "",
    "try",
    "{",
    `    var reply = client.${action}Sync(request);`,
    "    Console.WriteLine(AbstractModel.ToJsonString(reply));",
    "}",
    "catch (TencentCloudSDKException error)",
    "{",
    '    Console.Error.WriteLine($"{error.ErrorCode} {error.Message} {error.RequestId}");',
    "    Environment.ExitCode = 1;",
    "}",
  );
}

export function rubySample(call) {
  const { action, service } = call;
  return lines(
    "require 'tencentcloud-sdk-common'",
    `require 'tencentcloud-sdk-${service}'`,
    "",
    `Models = TencentCloud::${upperFirst(service)}::${upperFirst(packageVersion(call))}`,
    "",
    "credential = TencentCloud::Common::Credential.new(",
    variables(call).map((name, index, all) => `  ENV.fetch('${name}')${index + 1 < all.length ? "," : ""}`),
    ")",
    "profile = TencentCloud::Common::ClientProfile.new",
    "profile.http_profile = TencentCloud::Common::HttpProfile.new",
    `profile.http_profile.scheme = '${call.scheme}'`,
    `profile.http_profile.endpoint = ${singleQuoted(call.host)}`,
    `client = Models::Client.new(credential, ${regionOr("nil", call)}, profile)`,
    "",
    `request = Models::${action}Request.new`,
    assignments(call.values, ruby),
    "",
    "begin",
    `  puts client.${action}(request).serialize`,
    "rescue TencentCloud::Common::TencentCloudSDKException => error",
    '  abort "#{error.code} #{error.message} #{error.request_id}"',
    "end",
  );
}
