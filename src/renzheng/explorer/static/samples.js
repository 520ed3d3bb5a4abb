/** The call of the form as a program: the official SDKs, curl and tccli. Keys are read from the environment only. */

import { cppSample } from "./cpp.js";
import {
  csharpSample, goSample, javaSample, nodeSample, phpSample, pythonSample, rubySample,
} from "./sdk.js";
import { curlSample, tccliSample } from "./shell.js";

/**
 * @typedef {object} Call
 * @property {string} service `faceid`
 * @property {string} version `2018-03-01`
 * @property {string} action
 * @property {string} region may be empty
 * @property {"http" | "https"} scheme
 * @property {string} host with the port if there is one
 * @property {boolean} temporary the key has a Token
 * @property {import("./values.js").Value[]} values
 * @property {string} body JSON
 * @property {{headers: [string, string][]}} [signed] what the browser signed; only curl needs it
 *
 * @typedef {object} Sample
 * @property {string} id
 * @property {string} label
 * @property {string} file what the sample may be kept in
 * @property {string} install what has to be there first: a command, or the name of a package
 * @property {boolean} [serviceOfHost] this SDK signs the first label of the endpoint as the service
 * @property {boolean} [portless] this SDK connects to the scheme's own port only
 * @property {(call: Call) => string} write
 */

/** @type {Sample[]} in the order in which they are offered */
export const SAMPLES = [
  {
    id: "python", label: "Python", file: "main.py", write: pythonSample,
    install: "pip install tencentcloud-sdk-python-faceid",
  },
  {
    id: "java", label: "Java", file: "Main.java", write: javaSample, serviceOfHost: true,
    install: "com.tencentcloudapi:tencentcloud-sdk-java-faceid",
  },
  {
    id: "go", label: "Go", file: "main.go", write: goSample,
    install: "go get github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/faceid",
  },
  {
    id: "node", label: "Node.js", file: "main.js", write: nodeSample, serviceOfHost: true,
    install: "npm install tencentcloud-sdk-nodejs",
  },
  {
    id: "php", label: "PHP", file: "main.php", write: phpSample, serviceOfHost: true,
    install: "composer require tencentcloud/tencentcloud-sdk-php",
  },
  {
    id: "csharp", label: ".NET", file: "Program.cs", write: csharpSample, serviceOfHost: true,
    install: "dotnet add package TencentCloudSDK.Faceid",
  },
  {
    id: "cpp", label: "C++", file: "main.cpp", write: cppSample, serviceOfHost: true,
    install: "tencentcloud-sdk-cpp: core, faceid",
  },
  {
    id: "ruby", label: "Ruby", file: "main.rb", write: rubySample, serviceOfHost: true, portless: true,
    install: "gem install tencentcloud-sdk-common tencentcloud-sdk-faceid",
  },
  { id: "curl", label: "curl", file: "shell", install: "", write: curlSample },
  { id: "tccli", label: "tccli", file: "shell", install: "pip install tccli", write: tccliSample },
];
