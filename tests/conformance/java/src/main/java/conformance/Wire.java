package conformance;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.RequestUtils;
import org.apache.kafka.common.requests.ResponseHeader;

/** One connection on which a case sends single requests, written and read by Kafka's own generated classes. */
final class Wire implements AutoCloseable {
    private static final int ANSWER_DEADLINE_MS = 20_000;

    private final Socket socket;
    private final DataInputStream in;
    private int correlation = 100;
    private Map<Short, Short> versions;

    Wire(Kit kit) throws IOException {
        int colon = kit.bootstrap.lastIndexOf(':');
        socket = new Socket(kit.bootstrap.substring(0, colon), Integer.parseInt(kit.bootstrap.substring(colon + 1)));
        socket.setSoTimeout(ANSWER_DEADLINE_MS);
        socket.setTcpNoDelay(true);
        in = new DataInputStream(socket.getInputStream());
        kit.kept(this);
    }

    /** The constructor of a response. */
    interface Answer<T> {
        T read(Readable from, short version);
    }

    /** Sends a request in a version and gives the answer. */
    <T> T ask(ApiKeys key, int version, ApiMessage request, Answer<T> answer) throws IOException {
        RequestHeader header = sendOnly(key, version, request);
        return receive(header, answer);
    }

    RequestHeader sendOnly(ApiKeys key, int version, ApiMessage request) throws IOException {
        RequestHeader header = new RequestHeader(key, (short) version, "conformance", correlation++);
        ByteBuffer body = RequestUtils.serialize(header.data(), header.headerVersion(), request, (short) version);
        byte[] frame = new byte[4 + body.remaining()];
        ByteBuffer.wrap(frame).putInt(body.remaining()).put(body);
        sendBytes(frame);
        return header;
    }

    void sendBytes(byte[] bytes) throws IOException {
        OutputStream out = socket.getOutputStream();
        out.write(bytes);
        out.flush();
    }

    <T> T receive(RequestHeader header, Answer<T> answer) throws IOException {
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        ByteBuffer buffer = ByteBuffer.wrap(frame);
        ResponseHeader found = ResponseHeader.parse(buffer, header.apiKey().responseHeaderVersion(header.apiVersion()));
        Kit.equal(header.correlationId(), found.correlationId());
        T message = answer.read(new ByteBufferAccessor(buffer), header.apiVersion());
        Kit.equal(0, buffer.remaining());
        return message;
    }

    /** True once the broker closes this connection instead of answering. */
    boolean isClosed() throws IOException {
        try {
            return in.read() < 0;
        } catch (java.net.SocketException reset) {
            return true;
        }
    }

    /** The highest version that the broker offers, at most that one. */
    int version(ApiKeys key, int atMost) throws IOException {
        if (versions == null) {
            versions = new HashMap<>();
            ApiVersionsRequestData request = new ApiVersionsRequestData().setClientSoftwareName("conformance").setClientSoftwareVersion("1");
            ApiVersionsResponseData found = ask(ApiKeys.API_VERSIONS, 3, request, ApiVersionsResponseData::new);
            found.apiKeys().forEach(each -> versions.put(each.apiKey(), each.maxVersion()));
        }
        Short highest = versions.get(key.id);
        if (highest == null) throw new AssertionError(key + " is not offered");
        return Math.min(highest, atMost);
    }

    static void answered(Errors expected, short found) {
        Kit.equal(expected, Errors.forCode(found));
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
