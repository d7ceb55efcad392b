/** Numbers to pixels on the graphics card: the values as a float texture, the palettes as another. */
import { CanvasPainter } from "./canvas";
import { MINUS_INFINITY, NOT_A_NUMBER, palette, PLUS_INFINITY, COLOURS } from "./colours";
import type { Painter } from "./painter";
import { type Scale, stepsOf } from "./scale";

// Renderers without a card are slower than the canvas, which needs no texture uploads.
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const VERTEX = `#version 300 es
void main() {
  // One triangle that covers the picture.
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

// The bits are asked, since compilers may assume that no value is NaN. y runs upwards in the picture.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D numbers, scales, colours;
uniform int rows, height;
out vec4 colour;
void main() {
  ivec2 at = ivec2(int(gl_FragCoord.x), height - 1 - int(gl_FragCoord.y));
  float value = texelFetch(numbers, at, 0).r;
  vec4 scale = texelFetch(scales, ivec2(at.y / rows, 0), 0);
  uint bits = floatBitsToUint(value);
  uint magnitude = bits & 0x7fffffffu;
  int index;
  if (magnitude > 0x7f800000u) index = ${NOT_A_NUMBER};
  else if (magnitude == 0x7f800000u) index = bits == magnitude ? ${PLUS_INFINITY} : ${MINUS_INFINITY};
  else index = int(clamp(roundEven((value - scale.x) * scale.y) + scale.z, 0.0, ${COLOURS - 1}.0));
  colour = vec4(texelFetch(colours, ivec2(index, int(scale.w)), 0).rgb, 1.0);
}`;

export class WebglPainter implements Painter {
  readonly kind = "webgl2";
  readonly most: number;
  #canvas: OffscreenCanvas;
  #gl: WebGL2RenderingContext;
  #rows: WebGLUniformLocation | null;
  #height: WebGLUniformLocation | null;
  #numbers: WebGLTexture;
  #scales: WebGLTexture;
  #wide = new CanvasPainter();

  /** `null` where there is no WebGL2, or only one in software and nobody insists. */
  static open(insist: boolean, lost: () => void): WebglPainter | null {
    try {
      const canvas = new OffscreenCanvas(1, 1);
      const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false });
      if (!gl) return null;
      const info = gl.getExtension("WEBGL_debug_renderer_info");
      const renderer = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
      if (SOFTWARE.test(renderer) && !insist) {
        gl.getExtension("WEBGL_lose_context")?.loseContext();
        return null;
      }
      const painter = new WebglPainter(canvas, gl);
      canvas.addEventListener("webglcontextlost", lost);
      return painter;
    } catch {
      return null;
    }
  }

  private constructor(canvas: OffscreenCanvas, gl: WebGL2RenderingContext) {
    this.#canvas = canvas;
    this.#gl = gl;
    this.most = Math.min(Number(gl.getParameter(gl.MAX_TEXTURE_SIZE)), 8192);
    const program = gl.createProgram();
    for (const [kind, text] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind);
      if (!shader) throw new Error("no shader");
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no program");
    gl.useProgram(program);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.#numbers = this.#texture(0);
    this.#scales = this.#texture(1);
    this.#texture(2);
    const both = new Uint8Array(256 * 3 * 2);
    both.set(palette(false));
    both.set(palette(true), 256 * 3);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 2, 0, gl.RGB, gl.UNSIGNED_BYTE, both);
    ["numbers", "scales", "colours"].forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(program, name), unit));
    this.#rows = gl.getUniformLocation(program, "rows");
    this.#height = gl.getUniformLocation(program, "height");
  }

  paint(values: Float32Array, rows: number, columns: number, scales: readonly Scale[]): OffscreenCanvas {
    const gl = this.#gl;
    const height = rows * scales.length;
    const steps = scales.map(stepsOf);
    const fits = columns <= this.most && height <= this.most && columns > 0 && height > 0;
    if (!fits || gl.isContextLost() || steps.some((step) => !step.single && step.factor !== 0)) {
      return this.#wide.paint(values, rows, columns, scales); // beyond what float32 can scale
    }
    if (this.#canvas.width !== columns) this.#canvas.width = columns;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    gl.viewport(0, 0, columns, height);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.#numbers);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, columns, height, 0, gl.RED, gl.FLOAT, values.subarray(0, columns * height));
    const table = new Float32Array(scales.length * 4);
    steps.forEach(({ origin, factor, offset }, n) => {
      table.set([origin, factor, offset, scales[n]?.diverging ? 1 : 0], n * 4);
    });
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.#scales);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, scales.length, 1, 0, gl.RGBA, gl.FLOAT, table);
    gl.uniform1i(this.#rows, rows);
    gl.uniform1i(this.#height, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    // A copy on a canvas like the other painter's: bitmaps are enlarged by other roundings.
    const sheet = new OffscreenCanvas(columns, height);
    sheet.getContext("2d", { alpha: false })?.drawImage(this.#canvas, 0, 0);
    return sheet;
  }

  #texture(unit: number): WebGLTexture {
    const gl = this.#gl;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
    return texture;
  }
}
