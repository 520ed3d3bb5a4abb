/** The C++ sample, which is longer than others: its library brings no Base64. */

import { cppQuoted } from "./quoting.js";
import { assignments, hasImage, lines, variables } from "./sdk.js";

/** @type {import("./sdk.js").Dialect} */
const dialect = {
  create: (name, model) => `${model} ${name};`,
  set: (target, name, literal) => `${target}.Set${name}(${literal});`,
  literal: ({ kind, value, file }) =>
    kind === "image" ? `Base64Of(${cppQuoted(file)})`
      : kind === "list" ? `{${value.map((item) => cppQuoted(item)).join(", ")}}`
        : kind === "string" ? cppQuoted(value) : String(value),
};

const BASE64 = `static string Base64Of(const string& path)
{
    ifstream file(path, ios::binary);
    const string bytes((istreambuf_iterator<char>(file)), istreambuf_iterator<char>());
    const string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    string text;
    for (size_t at = 0; at < bytes.size(); at += 3)
    {
        const auto byte = [&](size_t index) { return index < bytes.size() ? (unsigned char) bytes[index] : 0u; };
        const unsigned three = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
        text += letters[three >> 18];
        text += letters[three >> 12 & 63];
        text += at + 1 < bytes.size() ? letters[three >> 6 & 63] : '=';
        text += at + 2 < bytes.size() ? letters[three & 63] : '=';
    }
    return text;
}
`;

/** This SDK takes an endpoint for a host only if there is a dot in it. */
const dotted = (host) => host.replace(/^localhost(?=:|$)/, "127.0.0.1");

/** @param {import("./samples.js").Call} call */
export function cppSample(call) {
  const { action, service } = call;
  const product = service[0].toUpperCase() + service.slice(1);
  const version = call.version.replaceAll("-", "");
  const home = `tencentcloud/${service}/v${version}`;
  const models = call.values.filter(({ kind }) => kind === "object").map((value) => value.name);
  return lines(
    "#include <tencentcloud/core/Credential.h>",
    "#include <tencentcloud/core/TencentCloud.h>",
    "#include <tencentcloud/core/profile/ClientProfile.h>",
    "#include <tencentcloud/core/profile/HttpProfile.h>",
    `#include <${home}/${product}Client.h>`,
    [...models, `${action}Request`, `${action}Response`].map((model) => `#include <${home}/model/${model}.h>`),
    "",
    "#include <cstdlib>",
    hasImage(call) && ["#include <fstream>", "#include <iterator>"],
    "#include <iostream>",
    "#include <string>",
    "",
    "using namespace TencentCloud;",
    `using namespace TencentCloud::${product}::V${version};`,
    `using namespace TencentCloud::${product}::V${version}::Model;`,
    "using namespace std;",
    "",
    hasImage(call) && BASE64,
    "int main()",
    "{",
    "    TencentCloud::InitAPI();",
    "",
    `    Credential credential(${variables(call).map((name) => `getenv("${name}")`).join(", ")});`,
    "    HttpProfile http;",
    `    http.SetProtocol(HttpProfile::Scheme::${call.scheme.toUpperCase()});`,
    `    http.SetEndpoint(${cppQuoted(dotted(call.host))});`,
    `    ${product}Client client(credential, "${call.region}", ClientProfile(http));`,
    "",
    `    ${action}Request request;`,
    assignments(call.values, dialect).map((line) => `    ${line}`),
    "",
    `    auto outcome = client.${action}(request);`,
    "    if (outcome.IsSuccess())",
    "        cout << outcome.GetResult().ToJsonString() << endl;",
    "    else",
    "        cerr << outcome.GetError().PrintAll() << endl;",
    "",
    "    TencentCloud::ShutdownAPI();",
    "    return outcome.IsSuccess() ? 0 : 1;",
    "}",
  );
}
